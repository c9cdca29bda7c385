import { sql } from 'kysely'
import t from 'tap'
import { buildGuards } from '../../src/commands/build-guards.ts'
import { createHttpClient } from '../../src/http-client.ts'
import { createMetrics } from '../../src/metrics.ts'
import { askReten } from '../../src/report/ask-reten.ts'
import { createReportWorker } from '../../src/report/report-worker.ts'
import { createRetenClients } from '../../src/report/reten-clients.ts'
import { sealSecrets } from '../../src/secret-box.ts'
import { createConnectionCatalog } from '../../src/store/connection-catalog.ts'
import { createLeaseKeeper } from '../../src/store/lease-keeper.ts'
import { probeRefusedKeys } from '../../src/store/probe-refused-keys.ts'
import { recordProviderEvent } from '../../src/store/record-provider-event.ts'
import { settleDelivered } from '../../src/store/settle-delivery.ts'
import { systemClock } from '../../src/time.ts'
import { createListeningLogger } from '../deliver/delivery-fixture.ts'
import {
  addConnection,
  buildAttempt,
  buildResult,
  claimAll,
  deliver,
  makeAllDue,
  openLedger,
  readStory,
  recordEvent,
  storeDispatch,
  tells,
  until,
} from '../support/ledger.ts'
import { sendJson, serve } from '../support/local-server.ts'
import type { LocalServer } from '../support/local-server.ts'
import { answerAs, RETEN_KEY, toldResults } from './report-fixture.ts'

const { db } = await openLedger(t)
const http = createHttpClient()
t.teardown(() => http.close())

const SECRETS_KEYS = [{ id: 'k1', key: Buffer.alloc(32, 7) }]

/** Gives `acme`, or another connection, a key for the Reten at `origin`. */
async function giveKey(origin: string, name = 'acme'): Promise<void> {
  const sealed = sealSecrets(SECRETS_KEYS, name, { retenApiKey: RETEN_KEY, provider: {} })
  await db
    .updateTable('connections')
    .set({ reten_base_url: origin, secrets: sealed.bytes, secrets_key_id: sealed.keyId })
    .where('name', '=', name)
    .execute()
}

async function createWorker() {
  const { logger, lines } = createListeningLogger()
  const config = { environmentConnection: undefined, secretsKeys: SECRETS_KEYS }
  const catalog = createConnectionCatalog({ db, config, logger })
  await catalog.refresh()
  const { report: guards } = buildGuards({ db, clock: systemClock, random: () => 0, logger })
  const retenClients = createRetenClients({ httpOf: (name) => guards.holdOffs.watch(http, name), clock: systemClock })
  const worker = createReportWorker({
    db,
    catalog,
    retenClients,
    guards,
    clock: systemClock,
    random: () => 0.5,
    logger,
    metrics: createMetrics({ withNodeMetrics: false }),
    worker: 'worker-a',
    leases: createLeaseKeeper({ db, worker: 'worker-a', logger }),
    onConnectionChanged: () => void catalog.refresh(),
  })
  const probe = (): Promise<number> =>
    probeRefusedKeys({
      ...{ db, catalog, logger, worker: 'worker-a', side: 'reporting' },
      ask: (connection, signal) => askReten(retenClients, connection, signal),
      onResumed: () => {},
    })
  return { worker, catalog, lines, probe, guards }
}

/** The codes that Reten was told, in order. */
function toldCodes(reten: LocalServer): unknown[] {
  return toldResults(reten).map(({ task_result: { result } }) => result)
}

t.test('createReportWorker', async (t) => {
  t.test('reports what is due', async (t) => {
    const reten = await serve(t, (response, _request, number) => sendJson(response, 201, { id: `R-${number}` }))
    await giveKey(reten.origin)
    for (const activity of ['A-1', 'A-2', 'A-3']) {
      await storeDispatch(db, activity)
      await deliver(db, undefined, {})
    }
    const { worker } = await createWorker()

    t.strictSame([await worker.runOnce(), await worker.runOnce()], [3, 0])
    t.equal(toldResults(reten).length, 3)
  })

  t.test('leaves results waiting whose connection has no key for Reten, and reports the others', async (t) => {
    const reten = await serve(t, (response) => sendJson(response, 201, { id: 'R-1' }))
    await addConnection(db, 'other')
    await giveKey(reten.origin, 'other')
    const keyless = await storeDispatch(db)
    await deliver(db, undefined, {})
    await storeDispatch(db, 'A-2', { connection: 'other' })
    await recordEventOf('other', 'A-2')
    const { worker, catalog } = await createWorker()

    t.equal(await worker.runOnce(), 1)
    tells(t, await readStory(db, keyless), { results: [{ state: 'pending' }], reports: [{ claim_no: 0, attempts: 0 }] })

    await giveKey(reten.origin)
    await catalog.refresh()
    t.equal(await worker.runOnce(), 1, 'reported once the key is there')
  })

  t.test('pauses reporting alone where Reten refuses the key, and goes on by itself', async (t) => {
    let key: 'refused' | 'half' | 'good' = 'refused'
    const reten = await serve(t, (response, { method }) => {
      const isLetIn = key === 'good' || (key === 'half' && method === 'GET')
      if (!isLetIn) sendJson(response, key === 'half' ? 403 : 401, { statusCode: 401, message: 'API key invalid' })
      else if (method === 'GET') sendJson(response, 200, [])
      else sendJson(response, 201, { id: 'R-1' })
    })
    await giveKey(reten.origin)
    const ids = [await storeDispatch(db, 'A-1'), await storeDispatch(db, 'A-2')]
    for (const job of await claimAll(db, 'deliver')) {
      const settlement = { providerTaskId: undefined, result: buildResult() }
      await settleDelivered(db, buildAttempt(job), settlement)
    }
    const { worker, catalog, lines, probe } = await createWorker()
    const goOn = async (): Promise<number> => {
      await sql`update connections set reporting_probe_at = now() - interval '1 day'
        where reporting_probe_at is not null`.execute(db)
      const resumed = await probe()
      await makeAllDue(db)
      return resumed
    }
    const count = (method: string): number => reten.received.filter((request) => request.method === method).length

    t.equal(await worker.runOnce(), 2)
    await catalog.refresh()
    await makeAllDue(db)
    t.equal(await worker.runOnce(), 0, 'nothing is reported while it is paused')
    t.match(catalog.get('acme'), { state: 'active', reporting: { state: 'paused', reason: 'API key invalid' } })
    t.equal(catalog.fault(), 'acme: reporting is paused: API key invalid')
    t.equal(lines.filter((line) => line['event'] === 'reporting.paused').length, 1)
    t.equal(await goOn(), 0, 'still refused')
    t.equal(await worker.runOnce(), 0)

    key = 'half'
    t.equal(await goOn(), 1, 'known by now')
    t.equal(await worker.runOnce(), 1, 'one on trial')
    await catalog.refresh()
    t.match(catalog.get('acme'), { reporting: { state: 'paused' } }, 'and it may not report')

    key = 'good'
    t.equal(await goOn(), 1)
    t.equal(await worker.runOnce(), 1)
    await catalog.refresh()
    t.match(catalog.get('acme'), { reporting: { state: 'active', isOnTrial: false } })
    t.equal(await worker.runOnce(), 1)

    t.equal(count('POST'), 5)
    for (const id of ids) {
      const story = await readStory(db, id)
      t.match(story, { dispatch: { state: 'completed' }, results: [{ state: 'reported' }], reports: [] })
      const reports = story.attempts.filter((attempt) => attempt.kind === 'report')
      t.ok(
        reports.every((attempt) => attempt.number === 1),
        'nothing was charged',
      )
    }
  })

  t.test('waits, and fails nothing, while Reten is not where its address says, and goes on by itself', async (t) => {
    let isThere = false
    const reten = await serve(t, (response, { method, path }) => {
      if (!isThere)
        sendJson(response, 404, { statusCode: 404, message: `Cannot ${method} ${path}`, error: 'Not Found' })
      else if (method === 'GET') sendJson(response, 200, [])
      else sendJson(response, 201, { id: 'R-1' })
    })
    await giveKey(reten.origin)
    const id = await storeDispatch(db)
    await deliver(db, undefined, {})
    const { worker, catalog, probe } = await createWorker()
    const goOn = async (): Promise<number> => {
      await sql`update connections set reporting_probe_at = now() - interval '1 day'
        where reporting_probe_at is not null`.execute(db)
      await makeAllDue(db)
      return probe()
    }
    await worker.runOnce()
    await catalog.refresh()
    t.match(catalog.fault(), /Cannot POST .*is the base URL right/)
    tells(t, await readStory(db, id), { results: [{ state: 'pending' }], reports: [{ attempts: 0 }] })
    t.equal(await goOn(), 0, 'not there yet')

    isThere = true
    t.equal(await goOn(), 1)
    await worker.runOnce()

    tells(t, await readStory(db, id), { dispatch: { state: 'completed' } })
  })

  t.test('reports for a connection that is paused', async (t) => {
    const reten = await serve(t, (response) => sendJson(response, 201, { id: 'R-1' }))
    await giveKey(reten.origin)
    await storeDispatch(db)
    await deliver(db, undefined, {})
    await sql`update connections set state = 'paused', state_reason = 'a test'`.execute(db)
    const { worker } = await createWorker()

    t.equal(await worker.runOnce(), 1)
  })

  t.test('tells Reten the results of one dispatch one after another, in the order they came', async (t) => {
    let underWay = 0
    let most = 0
    const reten = await serve(
      t,
      answerAs(
        () => [],
        (response, _request, number) => {
          underWay += 1
          most = Math.max(most, underWay)
          setImmediate(() => {
            underWay -= 1
            sendJson(response, 201, { id: `R-${number}` })
          })
        },
      ),
    )
    await giveKey(reten.origin)
    const id = await storeDispatch(db)
    await deliver(db)
    for (const code of ['FIRST', 'SECOND', 'THIRD']) await recordEvent(db, id, { eventId: code, code })
    const { worker } = await createWorker()
    void worker.start()

    await until(() => toldResults(reten).length === 3)
    await worker.stop()

    t.strictSame(toldCodes(reten), ['FIRST', 'SECOND', 'THIRD'])
    t.equal(most, 1)
  })

  t.test('does not tell of a beginning whose end came while it was being told, in vain, to Reten', async (t) => {
    const reten = await serve(
      t,
      answerAs(
        () => [],
        (response, _request, number) => {
          if (number > 1) return sendJson(response, 201, { id: 'R-1' })
          void endMeanwhile().then(() => sendJson(response, 503, { statusCode: 503, message: 'later' }))
        },
      ),
    )
    await giveKey(reten.origin)
    const id = await storeDispatch(db)
    await deliver(db)
    await recordEvent(db, id, { eventId: 'E-1', code: 'BEGUN', status: 'PENDING' })
    const endMeanwhile = () => recordEvent(db, id, { eventId: 'E-2', code: 'ENDED' })
    const { worker } = await createWorker()

    for (let turn = 0; turn < 4; turn += 1) {
      await makeAllDue(db)
      await worker.runOnce()
    }

    t.strictSame(toldCodes(reten), ['BEGUN', 'ENDED'])
    t.match(toldResults(reten)[1], { hard_override: true }, 'Reten may have the beginning')
    tells(t, await readStory(db, id), {
      dispatch: { state: 'completed' },
      results: [{ state: 'unproven', reason_code: 'superseded' }, { state: 'reported' }],
      reports: [],
    })
  })

  t.test('leaves Reten alone that fails time after time, for this connection, and claims nothing for it', async (t) => {
    const reten = await serve(t, (response) => sendJson(response, 503, { statusCode: 503, message: 'later' }))
    await giveKey(reten.origin)
    for (let number = 0; number < 10; number += 1) {
      await storeDispatch(db, `A-${number}`)
      await deliver(db, undefined, {})
    }
    const { worker, guards } = await createWorker()
    await worker.runOnce()
    t.equal(guards.breakers.state('acme'), 'open')
    await makeAllDue(db)

    t.equal(await worker.runOnce(), 0)

    t.equal(toldResults(reten).length, 8, 'those under way')
    const untouched = await db.selectFrom('jobs').select('id').where('claim_no', '=', 0).execute()
    t.equal(untouched.length, 2)
  })

  t.test('hears from one 429 of Reten’s that all reports of the connection are to wait', async (t) => {
    const reten = await serve(t, (response) =>
      sendJson(response, 429, { statusCode: 429, message: 'slower' }, { 'retry-after': '60' }),
    )
    await giveKey(reten.origin)
    await storeDispatch(db)
    await deliver(db, undefined, {})
    const { worker, guards } = await createWorker()
    await worker.runOnce()
    await makeAllDue(db)

    t.equal(await worker.runOnce(), 0)

    t.ok(guards.holdOffs.remainingMs('acme') > 50_000)
    t.equal(guards.breakers.state('acme'), 'closed', 'it is an answer')
  })

  t.test('gives back what it claimed and could not begin, without a doubt', async (t) => {
    await giveKey('http://127.0.0.1:1')
    const id = await storeDispatch(db)
    await deliver(db, undefined, {})
    const { worker } = await createWorker()
    // Readable for the claim, which reads jobs alone, and not for what comes after it.
    await sql`alter table results rename column external_status to hidden`.execute(db)
    t.teardown(() => sql`alter table results rename column hidden to external_status`.execute(db))

    await t.rejects(worker.runOnce(), { code: '42703' })

    const reports = await db.selectFrom('jobs').selectAll().where('dispatch_id', '=', id).execute()
    t.match(reports, [{ leased_until: null, is_fate_unknown: false, crashes: 0, attempts: 0 }])
  })
})

/** A result of a dispatch of another connection than `acme`. */
async function recordEventOf(connection: string, activityId: string): Promise<void> {
  const content = { status: 'EFFECTIVE', code: 'SALE_COMPLETED', occurredAt: '2026-05-04T15:20:00.000Z' } as const
  const event = { activityId, content }
  await recordProviderEvent(db, { connection, provider: 'test', event, body: Buffer.from(activityId) })
}
