import t from 'tap'
import { createSilentLogger } from '../../src/logger.ts'
import { createDriftWatch } from '../../src/ops/watch-drift.ts'
import { computeDispatchId } from '../../src/dispatch/identity.ts'
import { insertDispatches } from '../../src/store/insert-dispatches.ts'
import type { NewDispatch } from '../../src/store/insert-dispatches.ts'
import { readNewBodies, SAMPLE_BOUNDS } from '../../src/store/read-new-bodies.ts'
import { activity, newDispatch } from '../support/activities.ts'
import { addConnectionRow, createOpsFixture } from './ops-fixture.ts'

const { ask, db, metrics } = await createOpsFixture(t)
const lines: Record<string, unknown>[] = []
const logger = createSilentLogger()
logger.warn = (line: object) => void lines.push({ ...line })
const watch = createDriftWatch({ db, logger, metrics, guard: async () => true })

interface Listed {
  readonly data: readonly Record<string, unknown>[]
  readonly meta: { readonly next_cursor: string | null }
}

let number = 0

t.beforeEach(async () => {
  for (const table of ['dispatches', 'dispatch_bodies', 'body_shapes', 'schema_changes', 'connections'] as const) {
    await db.deleteFrom(table).execute()
  }
  await addConnectionRow(db)
  lines.length = 0
})

/** So many dispatches, each with a body of its own. */
async function push(
  count: number,
  bodyOf: (id: string) => unknown = (id) => activity(id),
  overrides: Partial<NewDispatch> = {},
): Promise<void> {
  const rows = Array.from({ length: count }, () => {
    number += 1
    const activityId = `a-${number}`
    return newDispatch(activityId, { body: Buffer.from(JSON.stringify(bodyOf(activityId))), ...overrides })
  })
  await insertDispatches(
    db,
    rows.map((row) => ({ ...row, id: computeDispatchId(row.connection, row.activityId) })),
  )
}

/** Learns from 200 bodies, in as many looks as it takes. */
async function learn(): Promise<void> {
  for (let look = 0; look < 2; look += 1) {
    await push(100)
    await watch.runOnce()
  }
}

const renamed = (id: string) => activity(id, { commerce: { external_id: 'C-1042', name: 'Almacen Sur' } })

async function list(query = ''): Promise<Listed> {
  return (await ask('viewer', { url: `/admin/drift${query}` })).json()
}

t.test('GET /admin/drift', async (t) => {
  t.test(
    'says of a renamed field that one vanished and one is new, with counts, and so do log and metric',
    async (t) => {
      await learn()
      await push(4, renamed)
      await watch.runOnce()
      t.same((await list()).data, [], 'four bodies may be an accident')

      await push(26, renamed)
      await watch.runOnce()

      const { data, meta } = await list()
      t.match(data, [
        { change: 'vanished', path: '/commerce/externalId', types: ['string'], bodies: 30, endedAt: null },
        { change: 'new', path: '/commerce/external_id', types: ['string'], bodies: 30, endedAt: null },
      ])
      t.equal(data.length, 2)
      t.match(data[0], {
        connection: 'acme',
        activityType: 'TASK',
        samplePath: '/commerce/externalId',
        formerTypes: [],
      })
      t.equal(meta.next_cursor, null)
      for (const { firstSeenAt, lastSeenAt, toldAt } of data) {
        t.ok(Date.parse(String(firstSeenAt)) < Date.parse(String(lastSeenAt)))
        t.ok(Math.abs(Date.parse(String(toldAt)) - Date.now()) < 60_000)
      }
      t.same(
        lines.map(({ event, change, path }) => [event, change, path]),
        [
          ['schema.drifted', 'new', '/commerce/external_id'],
          ['schema.drifted', 'vanished', '/commerce/externalId'],
        ],
      )
      t.notMatch(JSON.stringify([data, lines]), /C-1042|Almacen|V-17/, 'names and types, no values')
      const text = await metrics.expose()
      t.match(text, /^reten_receiver_schema_drift_total\{connection="acme",change="new"\} 1$/m)
      t.match(text, /^reten_receiver_schema_drift_total\{connection="acme",change="vanished"\} 1$/m)
    },
  )

  t.test('goes on counting without telling again, and says when a field came back', async (t) => {
    await learn()
    await push(30, renamed)
    await watch.runOnce()
    await push(10, renamed)
    await watch.runOnce()

    t.match((await list('?change=vanished')).data, [{ bodies: 40, endedAt: null }])
    await push(1)
    await watch.runOnce()

    t.match((await list('?change=vanished')).data, [{ bodies: 40, endedAt: String }])
    t.equal(lines.length, 2)
  })

  t.test('shows page after page, those of one connection, and refuses what it does not know', async (t) => {
    await learn()
    await push(30, (id) => ({ ...activity(id), one: 1, two: 2, three: 3 }))
    await watch.runOnce()
    await addConnectionRow(db, 'other')

    const first = await list('?limit=2')
    const second = await list(`?limit=2&cursor=${first.meta.next_cursor}`)

    t.match(first.data, [{ path: '/three' }, { path: '/two' }])
    t.match([second.data, second.meta.next_cursor], [[{ path: '/one' }], null])
    t.same((await list('?connection=other')).data, [])
    for (const query of ['connection=nobody', 'change=moved', 'cursor=x', 'limit=0']) {
      t.match(await list(`?${query}`), { statusCode: 400, code: 'RCV_QUERY_INVALID' })
    }
  })
})

t.test('createDriftWatch', async (t) => {
  t.test('looks at each body once, and at pushed ones alone', async (t) => {
    await learn()
    await push(50, (id) => ({ id, listed: true }), { origin: 'reconciled' })
    await watch.runOnce()
    await push(4, renamed)
    await watch.runOnce()
    await watch.runOnce()

    t.same((await list()).data, [])
    const { shape } = await db.selectFrom('body_shapes').select('shape').executeTakeFirstOrThrow()
    t.equal(shape.bodies, 204)
  })

  t.test('keeps nothing of what another instance has looked at meanwhile', async (t) => {
    await push(30)
    const before = await db.selectFrom('drift_bookmark').selectAll().executeTakeFirstOrThrow()
    const other = createDriftWatch({ db, logger, metrics, guard: async () => true })

    await Promise.all([watch.runOnce(), other.runOnce()])

    const { shape } = await db.selectFrom('body_shapes').select('shape').executeTakeFirstOrThrow()
    t.equal(shape.bodies, 30)
    const after = await db.selectFrom('drift_bookmark').selectAll().executeTakeFirstOrThrow()
    t.ok(after.seq > before.seq)
  })

  t.test('keeps a bounded number of rows, whatever words come as the type of an activity', async (t) => {
    for (let round = 0; round < 3; round += 1) {
      for (let word = 0; word < 20; word += 1) await push(2, undefined, { type: `KIND_${round}_${'x'.repeat(word)}` })
      await push(2, undefined, { type: 'not a name' })
      await watch.runOnce()
    }

    const rows = await db.selectFrom('body_shapes').select('activity_type').execute()
    t.equal(rows.length, 17)
    t.ok(rows.some((row) => row.activity_type === '*'))
  })
})

t.test('readNewBodies', async (t) => {
  t.test(
    'gives each connection its share of a bounded sample, and passes over bodies that are too large',
    async (t) => {
      await addConnectionRow(db, 'other')
      await push(20)
      await push(3, undefined, { connection: 'other' })
      await push(1, () => ({ huge: 'x'.repeat(SAMPLE_BOUNDS.bodyBytes) }))
      const sample = async (bounds: object) =>
        (await readNewBodies(db, { ...SAMPLE_BOUNDS, ...bounds }))?.bodies.map(({ connection }) => connection) ?? []

      t.equal((await sample({})).length, 23)
      t.same((await sample({ perConnection: 4 })).toSorted(), [...Array(3).fill('acme'), ...Array(3).fill('other')])
      t.equal((await sample({ rows: 4 })).length, 3, 'of the last four one is too large')
      t.same((await sample({ inAll: 6 })).filter((name) => name === 'other').length, 3)
      const one = JSON.stringify(activity('a-1')).length
      t.equal((await sample({ bytesInAll: one * 5 })).length, 4)
    },
  )

  t.test('is nothing where nothing was pushed since', async (t) => {
    await push(1)
    await watch.runOnce()

    t.equal(await readNewBodies(db), undefined)
  })
})
