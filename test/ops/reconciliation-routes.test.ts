import t from 'tap'
import { beginReconciliation } from '../../src/store/begin-reconciliation.ts'
import { endReconciliation } from '../../src/store/end-reconciliation.ts'
import { createTally } from '../../src/reconcile/tally.ts'
import { addConnection, clearLedger } from '../support/ledger.ts'
import { createOpsFixture } from './ops-fixture.ts'

const environmentConnection = {
  provider: 'test',
  dispatchKeys: [],
  webhookToken: undefined,
  retenBaseUrl: 'https://reten.test',
  retenApiKey: 'rtn_sk_0123456789abcdef',
  providerSettings: {},
  providerSecrets: {},
  settings: {},
}
const { db, ask, catalog } = await createOpsFixture(t, { environmentConnection })

t.beforeEach(async () => {
  await clearLedger(db)
  await addConnection(db, 'default', { retenBaseUrl: 'https://reten.test' })
  await db.updateTable('connections').set({ origin: 'environment' }).where('name', '=', 'default').execute()
  await catalog.refresh()
})

const request = (body: object, role: 'viewer' | 'operator' = 'operator') =>
  ask(role, { method: 'POST', url: '/admin/reconciliations', body })

t.test('POST /admin/reconciliations', async (t) => {
  await t.test('asks for a comparison, with who and why', async (t) => {
    const answer = await request({ connection: 'default', reason: 'we were away' })

    t.equal(answer.statusCode, 202)
    t.match(answer.json(), { id: Number, connection: 'default', status: 'REQUESTED' })
    t.match(await db.selectFrom('audit_log').selectAll().execute(), [
      { actor: 'otto', action: 'reconciliation.requested', connection: 'default', reason: 'we were away' },
    ])
    t.match(await beginReconciliation(db, { connection: 'default', worker: 'w' }), { requestedBy: 'otto' })
  })

  await t.test('asks once, however often it is asked for before it begins', async (t) => {
    const first = await request({ connection: 'default', reason: 'we were away' })
    const second = await request({ connection: 'default', reason: 'impatience' })

    t.equal(second.json<{ id: number }>().id, first.json<{ id: number }>().id)
  })

  await t.test('is refused without a reason, for a viewer, and for a connection that is not compared', async (t) => {
    t.equal((await request({ connection: 'default' })).statusCode, 400)
    t.equal((await request({ connection: 'default', reason: 'because' }, 'viewer')).statusCode, 403)
    t.match((await request({ connection: 'nobody', reason: 'because' })).json(), { code: 'RCV_CONNECTION_NOT_FOUND' })
    t.match((await request({ connection: 'acme', reason: 'because' })).json(), {
      code: 'RCV_STATE_CONFLICT',
      message: 'acme is not compared with Reten: it has no key for Reten',
    })
  })
})

t.test('GET /admin/reconciliations', async (t) => {
  await t.test('lists them, the newest first, page by page, with what they found', async (t) => {
    for (const missing of [0, 2, 3]) {
      const begun = await beginReconciliation(db, { connection: 'default', worker: 'w' })
      const tally = { ...createTally(), missing }
      tally.note('a-1', 'hidden')
      await endReconciliation(
        db,
        { id: begun.id, connection: 'default' },
        { ...tally, isWhole: true, error: undefined },
      )
    }

    const page = (await ask('viewer', { url: '/admin/reconciliations?limit=2&connection=default' })).json<Listed>()
    const rest = await ask('viewer', { url: `/admin/reconciliations?limit=2&cursor=${page.meta.next_cursor}` })

    t.match(page.data, [
      { missing: 3, connection: 'default', requestedBy: null, error: null, isWhole: true },
      { missing: 2, findings: [{ activityId: 'a-1', kind: 'hidden' }] },
    ])
    t.match(rest.json(), { data: [{ missing: 0 }], meta: { next_cursor: null } })
    t.equal((await ask('viewer', { url: '/admin/reconciliations?connection=nobody' })).statusCode, 400)
  })
})

interface Listed {
  readonly data: readonly Record<string, unknown>[]
  readonly meta: { readonly next_cursor: string | null }
}
