import t from 'tap'
import { EXCERPT_BYTES, createExcerpt, readJson, readRecord, readText, toStorableText } from '../src/http-answer.ts'

t.test('readJson', async (t) => {
  t.test('tells JSON from everything else', async (t) => {
    t.same(readJson('{"id":1,"ok":null}'), { isJson: true, value: { id: 1, ok: null } })
    for (const body of ['', ' ', '<html>', '{"id":', '\u{FFFD}\u{FFFD}'])
      t.same(readJson(body), { isJson: false }, body)
  })

  t.test('keeps whole numbers that a double would round', async (t) => {
    t.same(readJson('{"id":9007199254740993123,"score":1.5}'), {
      isJson: true,
      value: { id: '9007199254740993123', score: 1.5 },
    })
  })
})

t.test('readRecord', async (t) => {
  t.same(readRecord({ a: 1 }), { a: 1 })
  for (const value of [null, undefined, [], 'a', 1, true]) t.equal(readRecord(value), undefined, JSON.stringify(value))
})

t.test('readText', async (t) => {
  t.equal(readText(' T-1 '), 'T-1')
  t.equal(readText(8841), '8841')
  t.equal(readText(0), '0')
  t.equal(readText('a\0b'), 'a\u{FFFD}b')
  for (const value of ['', '  ', null, undefined, {}, [], true, Number.POSITIVE_INFINITY]) {
    t.equal(readText(value), undefined, typeof value)
  }
})

t.test('toStorableText', async (t) => {
  t.equal(toStorableText('a\0b\ud800c😀'), 'a\u{FFFD}b\u{FFFD}c😀')
})

t.test('createExcerpt', async (t) => {
  t.test('leaves a short text as it is', async (t) => {
    t.equal(createExcerpt([])('{"id":"T-1"}'), '{"id":"T-1"}')
  })

  t.test('cuts at 4 KiB of UTF-8, never inside a character', async (t) => {
    const shown = createExcerpt([])('ñ'.repeat(5_000))

    t.ok(Buffer.byteLength(shown) <= EXCERPT_BYTES)
    t.match(shown, /^ñ{2000,}…$/)
  })

  t.test('cuts what grows by being made storable at 4 KiB too', async (t) => {
    t.ok(Buffer.byteLength(createExcerpt([])('\0'.repeat(10_000))) <= 4_096)
  })

  t.test('cuts secrets out, however they are written', async (t) => {
    const excerpt = createExcerpt(['pa"ss wört'])

    t.equal(excerpt('pa"ss wört {"k":"pa\\"ss wört"} ?k=pa%22ss%20w%C3%B6rt'), '[secret] {"k":"[secret]"} ?k=[secret]')
  })

  t.test('cuts the longer of two secrets first', async (t) => {
    t.equal(createExcerpt(['token', 'token-long'])('token-long token'), '[secret] [secret]')
  })

  t.test('leaves no half of a secret at its end', async (t) => {
    const excerpt = createExcerpt(['s'.repeat(40)])

    t.notMatch(excerpt('x'.repeat(EXCERPT_BYTES - 20) + 's'.repeat(40)), /s{2}/)
  })

  t.test('takes no secret so short that it is in everything', async (t) => {
    t.equal(createExcerpt(['', 'a'])('banana'), 'banana')
  })
})
