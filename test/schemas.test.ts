import { readdir, readFile } from 'node:fs/promises'
import t from 'tap'
import { compileInline, compileSchema, createAjv, describeFault, readSchema } from '../src/schemas.ts'
import type { SchemaName } from '../src/schemas.ts'

const FOLDER = new URL('../schemas/', import.meta.url)

async function readAll(): Promise<Map<string, Record<string, unknown>>> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.json'))
  const schemas = new Map<string, Record<string, unknown>>()
  for (const name of names) {
    schemas.set(name.slice(0, -'.json'.length), JSON.parse(await readFile(new URL(name, FOLDER), 'utf8')))
  }
  return schemas
}

/** Every property of a schema, at any depth: its path and what the schema says of it. */
function* propertiesOf(schema: unknown, path = ''): Generator<readonly [string, Record<string, unknown>]> {
  if (typeof schema !== 'object' || schema === null) return
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === 'properties') {
      for (const [name, property] of Object.entries(value as Record<string, Record<string, unknown>>)) {
        yield [`${path}/${name}`, property]
      }
    }
    yield* propertiesOf(value, `${path}/${keyword}`)
  }
}

void t.test('the schemas', async (t) => {
  const schemas = await readAll()

  await t.test('are named by their file, compile in strict mode, and say what they are for', async (t) => {
    for (const [name, schema] of schemas) {
      t.equal(schema['$id'], `https://reten-dispatch-receiver/schemas/${name}.json`)
      t.match(schema, { title: String, description: String })
      // Fails for a file that the list of names in src/schemas.ts lacks.
      t.doesNotThrow(() => compileSchema(name as SchemaName), name)
    }
  })

  await t.test('describe every field', async (t) => {
    for (const [name, schema] of schemas) {
      for (const [path, property] of propertiesOf(schema)) {
        // Alternatives repeat a property to narrow it; its description stands at the property itself.
        if (path.includes('/anyOf/')) continue
        t.type(property['description'], 'string', `${name}${path}`)
      }
    }
  })

  await t.test('are read anew each time, so that nobody can change them for others', async (t) => {
    delete readSchema('error')['properties']

    t.type(readSchema('error')['properties'], 'object')
  })
})

void t.test('compileSchema', async (t) => {
  await t.test('refuses and never repairs', async (t) => {
    const check = compileSchema('error')
    const value = { statusCode: '400', error: 'Bad Request', code: 'RCV_X', message: 'x', requestId: 'r', more: 1 }
    const before = structuredClone(value)

    t.match(check(value), { ok: false })
    t.same(value, before)
  })

  await t.test('answers the value as it is where it fits', async (t) => {
    const value = { statusCode: 400, error: 'Bad Request', code: 'RCV_X', message: 'x', requestId: 'r' }

    t.same(compileSchema('error')(value), { ok: true, value })
  })

  await t.test('tells the first fault and ends there: a crafted value costs no more than its size', async (t) => {
    const value = { attributes: Array.from({ length: 10_000 }, () => ({})) }

    const checked = compileSchema('activity')(value)

    t.match(checked, { ok: false, faults: [{ path: '/attributes/0/key', message: 'is required' }] })
    t.equal(checked.ok ? 0 : checked.faults.length, 1)
  })

  await t.test('throws for a name that is none', async (t) => {
    t.throws(() => compileSchema('nothing' as SchemaName), /no schema named nothing/)
  })
})

void t.test('faults', async (t) => {
  const check = compileInline({
    type: 'object',
    additionalProperties: false,
    required: ['id'],
    properties: {
      id: { type: 'string', minLength: 1, maxLength: 3 },
      kind: { enum: ['one', 'two'] },
      at: { type: ['string', 'null'], format: 'date-time' },
      count: { type: 'integer' },
      mixed: { type: ['array', 'object', 'null'] },
      nothing: { type: 'null' },
      'a/b~c': { type: 'string' },
      list: { type: 'array', maxItems: 1 },
    },
  })
  const sentences: readonly (readonly [unknown, string])[] = [
    [{}, 'body/id is required'],
    [{ id: 'a', more: 1 }, 'body/more is not known'],
    [{ id: '' }, 'body/id must not be empty'],
    [{ id: 5 }, 'body/id must be a string'],
    [{ id: 'a', kind: 'three' }, 'body/kind must be one of one, two'],
    [{ id: 'a', at: 'yesterday' }, 'body/at must be an ISO 8601 time with its zone'],
    [{ id: 'a', at: 5 }, 'body/at must be a string'],
    [{ id: 'a', count: 1.5 }, 'body/count must be an integer'],
    [{ id: 'a', mixed: 5 }, 'body/mixed must be an array or an object'],
    [{ id: 'a', nothing: 5 }, 'body/nothing must be null'],
    [{ id: 'a', 'a/b~c': 5 }, 'body/a~1b~0c must be a string'],
    [{ id: 'abcd' }, 'body/id must NOT have more than 3 characters'],
    [{ id: 'a', list: [1, 2] }, 'body/list must NOT have more than 1 items'],
    [[], 'body must be an object'],
  ]
  for (const [value, sentence] of sentences) {
    await t.test(`say ${sentence}`, async (t) => {
      const checked = check(value)

      t.same(checked.ok ? [] : checked.faults.map((fault) => describeFault('body', fault)), [sentence])
    })
  }
})

void t.test('times', async (t) => {
  const check = createAjv().compile({ type: 'string', format: 'date-time' })

  for (const time of ['2026-05-04T13:00:00.000Z', '2026-05-04T13:00:00-03:00', '2026-12-31T23:59:60Z']) {
    t.ok(check(time), time)
  }
  for (const time of ['', '2026-05-04', '2026-05-04T13:00:00', '2026-02-30T13:00:00Z', '1777900000', 'now']) {
    t.notOk(check(time), time)
  }
})
