import { sql } from 'kysely'
import t from 'tap'
import { computeDispatchId } from '../../src/dispatch/identity.ts'
import { loadDeliveries } from '../../src/store/load-deliveries.ts'
import { openLedger, storeDispatch } from '../support/ledger.ts'
import { sendJson, serve } from '../support/local-server.ts'
import { openReconcileBench } from './reconcile-fixture.ts'

const { db } = await openLedger(t)

const dispatches = () => db.selectFrom('dispatches').selectAll().orderBy('seq').execute()

/** Stores an activity of Reten's stand-in as if it had been pushed; answers its dispatch id. */
const push = (activity: { readonly id: string; readonly commerce: { readonly externalId: string } }) =>
  storeDispatch(db, activity.id, { commerceId: activity.commerce.externalId })

t.test('a comparison with Reten’s list', async (t) => {
  await t.test('takes in what never reached us, once, and leaves the rest as it is', async (t) => {
    const { reten, compare, nudges, metrics } = await openReconcileBench(t, db)
    const activities = reten.createActivities(150)
    await push(activities[3] ?? { id: '', commerce: { externalId: '' } })

    const first = await compare()
    const second = await compare()

    t.match(first, {
      seen: 150,
      missing: 149,
      waiting: 0,
      differences: 0,
      is_whole: true,
      error: null,
      requested_by: 'otto',
    })
    t.match(second, { seen: 150, missing: 0, differences: 0, is_whole: true })
    const rows = await dispatches()
    t.same(rows.filter((row) => row.origin === 'reconciled').length, 149)
    t.ok(rows.every((row) => row.state === 'received'))
    t.match(
      await db
        .selectFrom('jobs')
        .select(sql<number>`count(*)::int`.as('count'))
        .execute(),
      [{ count: 150 }],
    )
    t.ok(nudges.includes('deliver'))
    const exposed = await metrics.expose()
    t.match(exposed, 'reten_receiver_reconcile_missing_total{connection="acme"} 149')
    t.match(exposed, /reconcile_last_success_timestamp_seconds\{connection="acme"\} 1\d{9}/)
  })

  await t.test('stores what the list tells, to be read without the field_paths of pushed bodies', async (t) => {
    const { reten, compare } = await openReconcileBench(t, db, {
      settings: { field_paths: { commerce_external_id: '/store/code' } },
    })
    const [activity] = reten.createActivities(1)

    await compare()

    const id = computeDispatchId('acme', activity?.id ?? '')
    t.match(await dispatches(), [
      {
        id,
        origin: 'reconciled',
        commerce_id: activity?.commerce.externalId,
        operator_id: activity?.operator?.externalId,
      },
    ])
    const delivery = (await loadDeliveries(db, [id])).get(id)
    t.equal(delivery?.isListed, true)
    t.match(JSON.parse(delivery?.body.toString() ?? ''), { id: activity?.id, commerceName: activity?.commerce.name })
  })

  await t.test('leaves a push that may be on its way alone', async (t) => {
    const { reten, compare } = await openReconcileBench(t, db, { ageMinutes: 2 })
    reten.createActivities(3)

    t.match(await compare(), { seen: 3, missing: 0, waiting: 3, differences: 0 })
    t.same(await dispatches(), [])
  })

  await t.test('takes activities at once where Reten pushes nothing', async (t) => {
    const { reten, compare } = await openReconcileBench(t, db, { ageMinutes: 0, settings: { pull_only: true } })
    reten.createActivities(3)

    t.match(await compare(), { missing: 3, waiting: 0 })
  })

  await t.test('takes nothing created before the connection, or before reconcile_from, and shows it', async (t) => {
    const before = new Date(Date.now() - 600_000).toISOString()
    for (const options of [{ change: { createdAt: new Date() } }, { settings: { reconcile_from: before } }]) {
      const { reten, compare } = await openReconcileBench(t, db, options)
      const [activity] = reten.createActivities(1)

      t.match(await compare(), {
        missing: 0,
        differences: 1,
        findings: [{ activityId: activity?.id, kind: 'before_reconcile_from' }],
      })
    }
    t.same(await dispatches(), [])
  })

  await t.test('asks for the connection’s channels and no others', async (t) => {
    const { reten, compare } = await openReconcileBench(t, db, { settings: { channels: ['SALESMAN', 'CALLCENTER'] } })
    for (const channel of ['SALESMAN', 'CALLCENTER', 'EMAIL'] as const) reten.createActivities(2, { channel })

    t.match(await compare(), { seen: 4, missing: 4 })
    t.same((await dispatches()).map((row) => row.channel ?? '').toSorted(), [
      'CALLCENTER',
      'CALLCENTER',
      'SALESMAN',
      'SALESMAN',
    ])
  })

  await t.test('takes nothing that two connections of one tenant would take, or that another one has', async (t) => {
    const rival = await openReconcileBench(t, db, { others: (one) => [{ ...one, name: 'other' }] })
    rival.reten.createActivities(1)
    t.match(await rival.compare(), { missing: 0, findings: [{ kind: 'several_connections' }] })

    const others = await openReconcileBench(t, db, {
      others: (one) => [
        { ...one, name: 'other', retenApiKey: 'rtn_sk_another', settings: { ...one.settings, reconcile: false } },
      ],
    })
    const [activity] = others.reten.createActivities(1)
    await storeDispatch(db, activity?.id, { connection: 'other' })
    t.match(await others.compare(), { missing: 0, findings: [{ kind: 'of_another_connection' }] })
  })

  await t.test('does not take what waits in quarantine', async (t) => {
    const { reten, compare } = await openReconcileBench(t, db)
    const [activity] = reten.createActivities(1)
    const dispatchId = computeDispatchId('acme', activity?.id ?? '')
    await sql`insert into quarantine (id, connection, activity_id, dispatch_id, code, details, headers, sha256, body)
      values (gen_random_uuid(), 'acme', ${activity?.id}, ${dispatchId}, 'RCV_BODY_INVALID', '[]', '{}', '\\x00', '\\x00')`.execute(
      db,
    )

    t.match(await compare(), { missing: 0, differences: 0 })
  })

  await t.test('cancels here what was cancelled at Reten', async (t) => {
    const { reten, compare, nudges } = await openReconcileBench(t, db)
    const [activity] = reten.createActivities(1)
    const id = activity === undefined ? '' : await push(activity)
    reten.cancelActivity(activity?.id ?? '')

    t.match(await compare(), { canceled: 1, missing: 0 })

    t.match(await dispatches(), [{ id, state: 'canceled' }])
    t.match(await compare(), { canceled: 0 }, 'once')
    t.ok(nudges.includes('cancel'))
    t.match(
      await db.selectFrom('audit_log').select(['actor', 'action']).where('action', '=', 'dispatch.canceled').execute(),
      [{ actor: 'service:worker-a' }],
    )
  })

  await t.test(
    'names what Reten hides from the list, where the key may read it, and says once where it may not',
    async (t) => {
      const { reten, compare, lines } = await openReconcileBench(t, db, {
        reten: { switches: { failedInList: 'hidden', dispatchAttempts: 1 } },
      })
      const [missed] = reten.createActivities(1)
      await reten.dispatchAll()

      t.match(await compare(), { seen: 0, missing: 0, findings: [{ activityId: missed?.id, kind: 'hidden' }] })
      t.same(await dispatches(), [], 'and delivers nothing')

      const list = { data: [], meta: { total: 0, totalPages: 0 } }
      const server = await serve(t, (response, { path }) =>
        path.startsWith('/api/integration/')
          ? sendJson(response, 200, list)
          : sendJson(response, 403, { statusCode: 403 }),
      )
      const closed = await openReconcileBench(t, db, { change: { retenBaseUrl: server.origin } })
      t.match(await closed.compare(), { error: null, differences: 0 })
      await closed.compare()
      const said = (all: typeof lines) => all.filter((line) => line['event'] === 'reconcile.hidden_unread').length
      t.same([said(lines), said(closed.lines)], [0, 1])
    },
  )

  await t.test('is off on the embedded database unless the connection says so', async (t) => {
    const off = await openReconcileBench(t, db, { isEmbedded: true })
    off.reten.createActivities(1)
    await t.rejects(off.compare(), /not compared/)

    const on = await openReconcileBench(t, db, { isEmbedded: true, settings: { reconcile: true } })
    on.reten.createActivities(1)
    t.match(await on.compare(), { missing: 1 })
  })

  await t.test('that meets a fault of Reten’s says so until one comes through', async (t) => {
    const { reten, compare, service, lines } = await openReconcileBench(t, db)
    reten.createActivities(1)
    const server = await serve(t, (response) =>
      response.writeHead(401).end('{"statusCode":401,"message":"API key missing or invalid"}'),
    )
    const broken = await openReconcileBench(t, db, { change: { retenBaseUrl: server.origin } })

    t.match(await broken.compare(), { error: /API key missing/, is_whole: false })
    await broken.service.runOnce()
    t.match(broken.service.fault(), /acme was not compared with Reten: .*API key missing/)

    await compare()
    await service.runOnce()
    t.equal(service.fault(), undefined)
    t.ok(lines.some((line) => line['event'] === 'reconcile.finished' && line['missing'] === 1))
    await broken.service.runOnce()
    t.equal(broken.service.fault(), undefined, 'whichever instance it was')
  })

  await t.test('takes over from one whose process was killed, and is made by one instance at a time', async (t) => {
    const { reten, compare } = await openReconcileBench(t, db)
    reten.createActivities(1)
    await sql`insert into reconciliations (connection, started_at, worker) values ('acme', now(), 'killed')`.execute(db)
    await sql`insert into periodic_leases values ('reconcile:acme', 'killed', now() + interval '1 minute')`.execute(db)
    await t.rejects(compare(), /not compared/, 'the other may live')
    await sql`update periodic_leases set leased_until = now() - interval '1 second'`.execute(db)

    t.match(await compare(), { missing: 1, error: null })
    t.match(await db.selectFrom('reconciliations').selectAll().where('worker', '=', 'killed').execute(), [
      { error: /interrupted/ },
    ])
  })
})
