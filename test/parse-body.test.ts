import t from 'tap'
import { isDeeperThan, parseBody } from '../src/parse-body.ts'

const parse = (text: string) => parseBody(Buffer.from(text))
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)

void t.test('parseBody', async (t) => {
  await t.test('answers the object of a JSON text', async (t) => {
    t.same(parse(' {"id":"a","list":[1,{"x":null}]}\n'), { ok: true, value: { id: 'a', list: [1, { x: null }] } })
  })

  await t.test('says what is wrong with bytes that are no JSON, and quotes nothing of them', async (t) => {
    const wrong: readonly (readonly [string | Buffer, RegExp])[] = [
      ['', /^body is empty$/],
      [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), /^body is not UTF-8$/],
      [Buffer.from('{"id":"a"}', 'utf16le'), /^body is not JSON/],
      [Buffer.from([0xed, 0xa0, 0x80]), /^body is not UTF-8$/],
      ['{"name":"Ana Rojas"', /^body is not JSON/],
      ['{"name":"Ana Rojas",}', /^body is not JSON at position \d+$/],
      ["{'name':'Ana Rojas'}", /^body is not JSON/],
      ['Ana Rojas', /^body is not JSON/],
      ['{"a":NaN}', /^body is not JSON/],
      ['{"a":"\u0000"}', /^body is not JSON/],
      ['{}{}', /^body is not JSON/],
      ['\u0000', /^body is not JSON/],
    ]

    for (const [text, message] of wrong) {
      const parsed = parseBody(Buffer.from(text))
      t.match(parsed, { ok: false, code: 'RCV_BODY_NOT_JSON', message, value: undefined }, String(message))
      t.notMatch(JSON.stringify(parsed), /Ana/)
    }
  })

  await t.test('names what stands where an object must', async (t) => {
    const wrong = { '[]': 'an array', null: 'null', '"a"': 'a string', '1e400': 'a number', true: 'a boolean' }

    for (const [text, what] of Object.entries(wrong)) {
      t.match(parse(text), { code: 'RCV_BODY_NOT_OBJECT', message: `body must be an object and is ${what}` })
    }
  })

  await t.test('takes a byte order mark for none of the text', async (t) => {
    t.match(parse('\ufeff{"id":"a"}'), { ok: true, value: { id: 'a' } })
  })

  await t.test('takes the last of duplicate keys', async (t) => {
    t.match(parse('{"id":"first","id":"last"}'), { ok: true, value: { id: 'last' } })
  })

  await t.test('reads numbers of any size, lone surrogates and escapes', async (t) => {
    const parsed = parse(`{"big":1e400,"digits":${'9'.repeat(400)},"tiny":1e-400,"half":"\\ud800","zero":"\\u0000"}`)

    t.match(parsed, { ok: true, value: { big: Infinity, digits: Infinity, tiny: 0, half: '\ud800', zero: '\u0000' } })
  })

  await t.test('leaves out keys that reach a prototype, however they are written, and keeps the rest', async (t) => {
    const texts = [
      '{"id":"a","__proto__":{"polluted":true}}',
      '{"id":"a","\\u005f_proto__":{"polluted":true}}',
      '{"id":"a","x":{"__proto__":{"polluted":true}}}',
      '{"id":"a","constructor":{"prototype":{"polluted":true}}}',
      '{"id":"a","c\\u006fnstructor":{"prototype":{"polluted":true}}}',
      '\ufeff{"id":"a","__proto__":{"polluted":true}}',
      '{"id":"a","__proto__":null}',
      '{"id":"a","__proto__":"text"}',
    ]

    for (const text of texts) {
      const parsed = parse(text)
      t.match(parsed, { ok: true, value: { id: 'a' } }, text)
      t.notMatch(JSON.stringify(parsed), /polluted|__proto__/)
      t.equal(Object.hasOwn(Object.prototype, 'polluted'), false)
      if (parsed.ok) t.equal(Object.getPrototypeOf(parsed.value), Object.prototype)
    }
  })

  await t.test('keeps keys that only look as if', async (t) => {
    for (const text of [
      '{"constructor":null}',
      '{"constructor":"Bau AG"}',
      '{"constructor":{"name":"x"}}',
      '{"proto":1}',
    ]) {
      t.same(parse(text), { ok: true, value: JSON.parse(text) }, text)
    }
  })

  await t.test('refuses what is nested deeper than 64 levels, and hands over what it holds all the same', async (t) => {
    t.match(parse(`{"id":"a","x":${nested(63)}}`), { ok: true })
    t.match(parse(`{"id":"a","x":${nested(64)}}`), {
      ok: false,
      code: 'RCV_BODY_TOO_DEEP',
      message: 'body is nested deeper than 64 levels',
      value: { id: 'a' },
    })
  })

  await t.test('survives 200,000 levels, closed, open, of objects, and with keys to leave out', async (t) => {
    t.match(parse(`{"id":"a","x":${nested(200_000)}}`), { code: 'RCV_BODY_TOO_DEEP', value: { id: 'a' } })
    t.match(parse(`{"id":"a","__proto__":1,"x":${nested(200_000)}}`), { code: 'RCV_BODY_TOO_DEEP' })
    t.match(parse(nested(200_000)), { code: 'RCV_BODY_NOT_OBJECT' })
    t.match(parse('['.repeat(200_000)), { code: 'RCV_BODY_NOT_JSON' })
    t.match(parse(`${'{"x":'.repeat(200_000)}1${'}'.repeat(200_000)}`), { code: 'RCV_BODY_TOO_DEEP' })
  })
})

void t.test('isDeeperThan', async (t) => {
  await t.test('counts brackets outside strings only', async (t) => {
    const texts: Readonly<Record<string, boolean>> = {
      '[[]]': false,
      '[[[]]]': true,
      '[{"a":[]}]': true,
      '["[[[[", {"[{":"\\"[[["}]': false,
      '["\\\\", [[1]]]': true,
      '[[],[],[[]]]': true,
      '[[],[],[]]': false,
    }

    for (const [text, isDeep] of Object.entries(texts)) t.equal(isDeeperThan(Buffer.from(text), 2), isDeep, text)
  })
})
