import t from 'tap'
import { fieldName, readShape } from '../../src/dispatch/body-shape.ts'

const show = (body: Readonly<Record<string, unknown>>) =>
  [...(readShape(body) ?? [])].map(([path, { types, samplePath }]) => [path, [...types].toSorted().join(), samplePath])

t.test('readShape', async (t) => {
  t.test('tells fields and types, what holds a field before it, and no value', async (t) => {
    const body = { id: 'secret', score: 5, isNew: true, reason: null, commerce: { externalId: 'secret' }, tags: [] }

    t.same(show(body), [
      ['/id', 'string', '/id'],
      ['/score', 'number', '/score'],
      ['/isNew', 'boolean', '/isNew'],
      ['/reason', 'null', '/reason'],
      ['/commerce', 'object', '/commerce'],
      ['/commerce/externalId', 'string', '/commerce/externalId'],
      ['/tags', 'array', '/tags'],
    ])
  })

  t.test('takes the elements of an array as one field, with the place of the first', async (t) => {
    t.same(show({ attributes: [{ key: 'a' }, 'text', { value: 1 }] }), [
      ['/attributes', 'array', '/attributes'],
      ['/attributes/*', 'object,string', '/attributes/0'],
      ['/attributes/*/key', 'string', '/attributes/0/key'],
      ['/attributes/*/value', 'number', '/attributes/2/value'],
    ])
  })

  t.test('does not tell keys that may be data', async (t) => {
    for (const name of ['externalId', 'external_id', 'ñandú', 'x-1', '$ref', 'line1234', 'a.b']) {
      t.equal(fieldName(name), name)
    }
    const data = [
      'ana@example.com',
      '+56911112222',
      'a56911112222',
      'Ana Rojas',
      '',
      '7',
      'a/b',
      'x~y',
      '*',
      'a\0',
      '\ud800',
    ]
    for (const key of [...data, 'x'.repeat(65), 'f0b6f7f0-3c1a-4f7e-9f55-6a2f1f6f0a11'])
      t.equal(fieldName(key), '*', key)
    t.same(show({ byMail: { 'ana@example.com': 1, 'eva@example.com': 'x' } }), [
      ['/byMail', 'object', '/byMail'],
      ['/byMail/*', 'number,string', '/byMail/*'],
    ])
  })

  t.test('goes no deeper than eight levels, and gives a body of thousands of values up', async (t) => {
    let deep: Record<string, unknown> = {}
    for (let level = 0; level < 60; level += 1) deep = { in: deep }
    const many = Object.fromEntries(Array.from({ length: 2_001 }, (_, index) => [`f${index}`, 1]))

    t.equal(readShape(deep)?.size, 8)
    t.equal(readShape(many), undefined)
    t.equal(readShape({ list: Array.from({ length: 5_000 }, () => many) }), undefined)
    t.equal(readShape({ list: Array.from({ length: 50_000 }, () => 1) })?.size, 2)
  })
})
