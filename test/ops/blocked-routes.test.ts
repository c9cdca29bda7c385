import t from 'tap'
import { settleFailed, settleParked, settleRetry } from '../../src/store/settle-delivery.ts'
import { countBlocked } from '../../src/store/list-blocked.ts'
import { addConnection, buildAttempt, claimAll, clearLedger, secondsUntil, storeDispatch } from '../support/ledger.ts'
import { createOpsFixture } from './ops-fixture.ts'

const ORDERED = { ordering: 'commerce' }
const IN_AN_HOUR = { delayMs: 3_600_000, isCharged: true, isFateUnknown: false }

interface Listed {
  readonly data: readonly Record<string, unknown>[]
  readonly meta: { readonly next_cursor: string | null }
}

const { db, ask, nudges } = await createOpsFixture(t)

t.beforeEach(async () => {
  await clearLedger(db)
  await choose(ORDERED)
  nudges.length = 0
})

async function choose(settings: object): Promise<void> {
  await db
    .updateTable('connections')
    .set({ settings: JSON.stringify(settings) })
    .execute()
}

async function list(query = ''): Promise<Listed> {
  return (await ask('viewer', { url: `/admin/blocked${query}` })).json()
}

const release = (id: string, action: string) =>
  ask('operator', { method: 'POST', url: `/admin/dispatches/${id}/release`, body: { action, reason: 'it may pass' } })

/** A commerce of which one came to nothing, and `waiting` more. */
async function hold(
  commerceId: string,
  end: 'failed' | 'parked' | 'retrying',
  waiting = 1,
  name = commerceId,
): Promise<string> {
  const id = await storeDispatch(db, `${name}-0`, { commerceId })
  const [job] = await claimAll(db, 'deliver')
  if (job === undefined) throw new Error('nothing was claimed')
  const attempt = buildAttempt(job)
  if (end === 'failed') await settleFailed(db, attempt, 'rejected')
  if (end === 'parked') await settleParked(db, attempt, 'timeout')
  if (end === 'retrying') await settleRetry(db, attempt, IN_AN_HOUR)
  for (let number = 1; number <= waiting; number += 1) {
    await storeDispatch(db, `${name}-${number}`, { commerceId })
  }
  return id
}

const claimable = async (): Promise<number> => (await claimAll(db, 'deliver')).length

void t.test('GET /admin/blocked', async (t) => {
  await t.test('tells which commerce waits for what, why, since when, and how many wait', async (t) => {
    const failed = await hold('C-1', 'failed', 2)
    const parked = await hold('C-2', 'parked')
    const retrying = await hold('C-3', 'retrying', 3)

    const { data, meta } = await list()

    t.match(data, [
      {
        commerceId: 'C-1',
        dispatchId: failed,
        activityId: 'C-1-0',
        reason: 'failed',
        reasonCode: 'rejected',
        waiting: 2,
      },
      { commerceId: 'C-2', dispatchId: parked, reason: 'parked', reasonCode: 'timeout', waiting: 1, retryAt: null },
      { commerceId: 'C-3', dispatchId: retrying, reason: 'retrying', reasonCode: null, waiting: 3 },
    ])
    t.equal(meta.next_cursor, null)
    const inAnHour = await secondsUntil(db, new Date(String(data[2]?.['retryAt'])))
    t.ok(inAnHour > 3_500 && inAnHour <= 3_600)
    for (const { since } of data) t.ok(Math.abs(await secondsUntil(db, new Date(String(since)))) < 60, 'a moment ago')
    t.same(await countBlocked(db), new Map([['acme', 3]]))
  })

  await t.test('names the earliest that holds up, once', async (t) => {
    await hold('C-1', 'failed', 0)
    await choose({})
    await hold('C-1', 'parked', 1, 'later')
    await choose(ORDERED)

    t.match((await list()).data, [{ reason: 'failed', waiting: 2 }])
  })

  await t.test('leaves out what nothing waits for, and what is only due or in flight', async (t) => {
    await hold('C-1', 'failed', 0)
    for (const name of ['a', 'b']) await storeDispatch(db, name, { commerceId: 'C-2' })
    t.same((await list()).data, [])

    t.equal(await claimable(), 1)
    t.same((await list()).data, [])
    t.same(await countBlocked(db), new Map())
  })

  await t.test('leaves out connections that keep no order, or let others pass a failed one', async (t) => {
    await hold('C-1', 'failed')
    await hold('C-2', 'parked')

    await choose({ ...ORDERED, failed_blocks: false })
    t.match((await list()).data, [{ commerceId: 'C-2' }])
    t.equal((await list()).data.length, 1)

    await choose({})
    t.same((await list()).data, [])
  })

  await t.test('shows page after page, each commerce once', async (t) => {
    for (const commerceId of ['C-1', 'C-2', 'C-3']) await hold(commerceId, 'failed')

    const first = await list('?limit=2')
    const second = await list(`?limit=2&cursor=${first.meta.next_cursor}`)

    t.match(first.data, [{ commerceId: 'C-1' }, { commerceId: 'C-2' }])
    t.match(second.data, [{ commerceId: 'C-3' }])
    t.equal(second.meta.next_cursor, null)
  })

  await t.test('shows those of one connection, and refuses a name that is none', async (t) => {
    await hold('C-1', 'failed')
    await addConnection(db, 'other', { settings: ORDERED })

    t.equal((await list('?connection=acme')).data.length, 1)
    t.equal((await list('?connection=other')).data.length, 0)
    t.match((await ask('viewer', { url: '/admin/blocked?connection=acmee' })).json(), { code: 'RCV_QUERY_INVALID' })
  })
})

void t.test('releasing a blocked commerce', async (t) => {
  for (const end of ['failed', 'parked'] as const) {
    await t.test(`lets the others pass a ${end} one that is skipped, and leaves it as it is`, async (t) => {
      const id = await hold('C-1', end)
      t.equal(await claimable(), 0)

      const answer = await release(id, 'skip')

      t.equal(answer.statusCode, 200)
      t.same(answer.json(), { id, activityId: 'C-1-0', connection: 'acme', action: 'skip' })
      t.same(nudges, ['deliver'])
      t.equal(await claimable(), 1)
      t.same((await list()).data, [])
      const shown = (await ask('viewer', { url: `/admin/dispatches/${id}` })).json()
      t.match(shown, {
        state: end === 'failed' ? 'failed' : 'received',
        audit: [{ action: 'dispatch.released', actor: 'otto', reason: 'it may pass' }],
      })
      t.match((await release(id, 'skip')).json(), { statusCode: 409, code: 'RCV_NOT_BLOCKING' }, 'once')
    })
  }

  await t.test('tries at once what waits for its next try, with the tries it has left', async (t) => {
    const id = await hold('C-1', 'retrying')

    t.equal((await release(id, 'retry_now')).statusCode, 202)

    t.match(await claimAll(db, 'deliver'), [{ dispatchId: id, attempts: 1 }])
  })

  await t.test('replays a failed one that is tried at once', async (t) => {
    const id = await hold('C-1', 'failed')

    t.equal((await release(id, 'retry_now')).statusCode, 202)

    t.match(await claimAll(db, 'deliver'), [{ dispatchId: id, attempts: 0 }])
  })

  await t.test('refuses with a code what cannot be done', async (t) => {
    const parked = await hold('C-1', 'parked')
    const waiting = await hold('C-2', 'retrying')
    const due = await storeDispatch(db, 'D-1', { commerceId: 'C-3' })

    t.match((await release(parked, 'retry_now')).json(), { statusCode: 409, message: /release it with repeat/ })
    t.match((await release(waiting, 'skip')).json(), { code: 'RCV_NOT_BLOCKING' })
    await claimAll(db, 'deliver')
    t.match((await release(due, 'retry_now')).json(), { code: 'RCV_STATE_CONFLICT', message: /in flight/ })
    await db.deleteFrom('jobs').where('dispatch_id', '=', due).execute()
    await db
      .updateTable('dispatches')
      .set({ state: 'delivered', delivered_at: new Date() })
      .where('id', '=', due)
      .execute()
    t.match((await release(due, 'retry_now')).json(), { code: 'RCV_STATE_CONFLICT', message: /no delivery is due/ })
    t.match((await release('00000000-0000-8000-8000-000000000000', 'skip')).json(), { code: 'RCV_DISPATCH_NOT_FOUND' })
    const body = { action: 'skip', reason: 'why', provider_task_id: 'T-1' }
    const withTask = await ask('operator', { method: 'POST', url: `/admin/dispatches/${due}/release`, body })
    t.match(withTask.json(), { code: 'RCV_REQUEST_INVALID', details: [{ path: '/provider_task_id' }] })
  })
})
