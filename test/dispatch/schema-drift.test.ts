import t from 'tap'
import { readShape } from '../../src/dispatch/body-shape.ts'
import { LEARNING_BODIES, NOTHING_KNOWN } from '../../src/dispatch/known-fields.ts'
import type { KnownFields } from '../../src/dispatch/known-fields.ts'
import { createDriftJudge } from '../../src/dispatch/schema-drift.ts'
import type { SchemaChange } from '../../src/dispatch/schema-drift.ts'

type Body = Readonly<Record<string, unknown>>

const usual: Body = { id: 'a', score: 1, commerce: { externalId: 'C-1', name: 'x' }, reason: { code: 'r', label: 'R' } }
const times = (count: number, body: Body = usual): readonly Body[] => Array.from({ length: count }, () => body)

/** Takes bodies in, a second apart and stored in between, as over runs and restarts. */
function watch() {
  let known: KnownFields = NOTHING_KNOWN
  let second = 0
  return {
    look(bodies: readonly Body[]): readonly SchemaChange[] {
      const judge = createDriftJudge(known)
      for (const body of bodies) {
        const shape = readShape(body)
        second += 1
        if (shape !== undefined) judge.look(shape, new Date(second * 1_000).toISOString())
      }
      const { known: next, changes } = judge.finish()
      // What JSON.parse makes of what was stored.
      known = JSON.parse(JSON.stringify(next)) as KnownFields
      return changes
    },
    known: () => known,
  }
}

const at = (second: number): string => new Date(second * 1_000).toISOString()
const learned = (...more: readonly (readonly Body[])[]) => {
  const watched = watch()
  watched.look([...times(LEARNING_BODIES), ...more.flat()])
  return watched
}
const told = (changes: readonly SchemaChange[]) =>
  changes.filter(({ isFresh }) => isFresh).map(({ change, path }) => `${change} ${path}`)

t.test('createDriftJudge', async (t) => {
  t.test('tells of a renamed field that one vanished and one is new, each once, and goes on counting', async (t) => {
    const renamed = { ...usual, commerce: { external_id: 'C-1', name: 'x' } }
    const watched = learned(times(100))

    t.same(told(watched.look(times(4, renamed))), [])
    t.match(watched.look(times(1, renamed)), [
      { change: 'new', path: '/commerce/external_id', types: ['string'], bodies: 5, firstAt: at(201), lastAt: at(205) },
    ])
    t.same(told(watched.look(times(14, renamed))), [])
    const changes = watched.look(times(11, renamed))

    t.same(told(changes), ['vanished /commerce/externalId'])
    t.match(changes, [
      { change: 'new', isFresh: false, bodies: 30, lastAt: at(230) },
      { change: 'vanished', types: ['string'], bodies: 30, firstAt: at(201), lastAt: at(230), endedAt: null },
    ])
    t.same(told(watched.look(times(500, renamed))), [])
  })

  t.test('says nothing of one odd body, and nothing while it learns', async (t) => {
    const odd = { id: 5, anything: { else: [1] } }
    const watched = watch()

    t.same(watched.look([...times(50), ...times(30, odd), ...times(20)]), [])
    t.same(learned().look([...times(4, odd), ...times(200), ...times(4, { ...usual, score: 'high' })]), [])
  })

  t.test('tells a field that changed its type, and not what is inside of it', async (t) => {
    const watched = learned()

    t.same(told(watched.look(times(4, { ...usual, reason: 'r' }))), [])
    const changes = watched.look(times(40, { ...usual, reason: 'r' }))

    t.match(changes, [{ change: 'retyped', path: '/reason', types: ['string'], formerTypes: ['object'], bodies: 44 }])
    t.equal(changes.length, 1)
    t.same(told(watched.look(times(10, { ...usual, reason: 7 }))), ['retyped /reason'])
    t.same(told(learned().look(times(40, { ...usual, score: { low: 1, high: 2 } }))), ['retyped /score'])
  })

  t.test('takes null for no type', async (t) => {
    const watched = watch()
    watched.look(times(LEARNING_BODIES, { ...usual, at: null }))

    t.same(watched.look(times(50, { ...usual, at: '2026-05-04T13:00:00Z', score: null })), [])
    t.same(told(watched.look(times(10, { ...usual, at: 5 }))), ['retyped /at'])
  })

  t.test('tells the topmost of what comes and goes together', async (t) => {
    const { commerce: _gone, ...rest } = usual
    const store = { store: { code: 'C-1', address: { street: 's' } } }

    t.same(told(learned().look(times(50, { ...rest, ...store }))), ['new /store', 'vanished /commerce'])
  })

  t.test('waits longer for a field that was seldom there, and learns how long it may be away', async (t) => {
    const withNote = { ...usual, note: 'n' }
    const watched = watch()
    for (let round = 0; round < 30; round += 1) watched.look([withNote, ...times(9)])

    t.same(told(watched.look(times(150))), [], 'every tenth had it: expected 15 times')
    t.same(told(watched.look(times(60))), ['vanished /note'])
    t.match(watched.look([withNote]), [
      { change: 'vanished', path: '/note', bodies: 219, endedAt: String, isFresh: false },
    ])
    t.same(told(watched.look(times(400))), [], 'it was away for 219 before')
    t.same(told(watched.look(times(200))), ['vanished /note'])
  })

  t.test('does not take an empty list for a field that vanished', async (t) => {
    const watched = watch()
    watched.look(times(LEARNING_BODIES, { ...usual, addresses: [{ street: 's' }] }))

    t.same(watched.look(times(100, { ...usual, addresses: [] })), [])
    t.same(told(watched.look(times(50, { ...usual, addresses: [{ road: 's' }] }))), [
      'new /addresses/*/road',
      'vanished /addresses/*/street',
    ])
  })

  t.test(
    'takes an object with ever other names for a map: it forgets them and goes on watching the others',
    async (t) => {
      const withMap = (index: number): Body => ({ ...usual, attributes: { kind: 'k', [`key_${index}`]: { v: 1 } } })
      const watched = watch()
      watched.look(Array.from({ length: 300 }, (_, index) => withMap(index)))

      const { fields, maps } = watched.known()
      t.same(maps, ['/attributes'])
      t.same(
        Object.keys(fields).filter((path) => path.startsWith('/attributes/')),
        ['/attributes/kind', '/attributes/*', '/attributes/*/v'],
      )
      t.same(told(watched.look(Array.from({ length: 50 }, (_, index) => withMap(index + 300)))), [])
      const without = Array.from({ length: 50 }, (_, index) => ({
        ...usual,
        attributes: { [`key_${index}`]: { v: 1 } },
      }))
      t.same(told(watched.look(without)), ['vanished /attributes/kind'])
    },
  )

  t.test('stays bounded whatever comes, and still sees what is new in earnest', async (t) => {
    const watched = learned()
    for (let round = 0; round < 40; round += 1) {
      const names = Array.from({ length: 200 }, (_, index) => [`n${round}_${index}`, { a: { b: { c: [round] } } }])
      watched.look([
        { ...usual, ...Object.fromEntries(names) },
        { ...usual, commerce: Object.fromEntries(names) },
      ])
    }
    const { fields } = watched.known()

    t.ok(Object.keys(fields).length <= 500, String(Object.keys(fields).length))
    t.ok(JSON.stringify(watched.known()).length < 300_000)
    const changes = watched.look(times(30, { ...usual, reason: { code: 'r', label: 'R', weight: 1 } }))
    t.ok(told(changes).includes('new /reason/weight'))
  })

  t.test('leaves what it was given as it is', async (t) => {
    const { known } = learned()
    const before = structuredClone(known())

    createDriftJudge(known()).look(readShape({ other: 1 }) ?? new Map(), at(1))

    t.same(known(), before)
  })
})
