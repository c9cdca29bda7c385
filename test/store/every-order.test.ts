// Whatever happens to a dispatch, in whatever order: nothing is lost, nothing is left behind, and what is stored says so.
import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { cancelDispatch } from '../../src/store/cancel-dispatch.ts'
import type { ClaimedJob } from '../../src/store/claim-jobs.ts'
import { countStrayJobs, countUnaccounted } from '../../src/store/count-unaccounted.ts'
import { loadCancellations } from '../../src/store/load-cancellations.ts'
import { loadDeliveries } from '../../src/store/load-deliveries.ts'
import { loadReports } from '../../src/store/load-reports.ts'
import { releaseJob } from '../../src/store/release-job.ts'
import { releaseParked } from '../../src/store/release-parked.ts'
import { rescueJobs } from '../../src/store/rescue-jobs.ts'
import { settleCancelEnded, settleCancelOvertaken, settleCancelRetry } from '../../src/store/settle-cancel.ts'
import { settleCanceled } from '../../src/store/settle-canceled.ts'
import {
  settleDelivered,
  settleFailed,
  settleParked,
  settleProven,
  settleRetry,
} from '../../src/store/settle-delivery.ts'
import { settleOvertaken, settleReported, settleReportEnded, settleReportRetry } from '../../src/store/settle-report.ts'
import type { JobKind } from '../../src/store/tables.ts'
import {
  buildAttempt,
  buildResult,
  claimAll,
  clearLedger,
  expireLeases,
  makeAllDue,
  openLedger,
  recordEvent,
  redeliver,
  replay,
  storeDispatch,
} from '../support/ledger.ts'

// Enough to have found every fault that was ever in here; the long suites run more.
const RUNS = Number(process.env['ORDER_RUNS'] ?? 25)
const LONGEST = 18

const { db } = await openLedger(t, 6)

const AUTHOR = { actor: 'otto' }
const RETRY = { delayMs: 0, isCharged: true, isFateUnknown: false }

/** One dispatch and the workers that hold, or once held, a claim on what is due for it. */
interface World {
  readonly id: string
  readonly claims: ClaimedJob[]
  number: number
}

type Step = (world: World) => Promise<unknown>

/** A step of whoever claimed the `which`-th time; nothing where nobody did. */
const byClaimer =
  (kind: JobKind, step: (job: ClaimedJob, world: World) => Promise<unknown>) =>
  (which: number): Step =>
  async (world) => {
    const claims = world.claims.filter((job) => job.kind === kind)
    const job = claims[which % Math.max(claims.length, 1)]
    return job === undefined ? undefined : step(job, world)
  }

const claim =
  (kind: JobKind) =>
  (): Step =>
  async ({ claims }) => {
    await makeAllDue(db)
    for (const job of await claimAll(db, kind, { worker: `worker-${claims.length}` })) {
      // As the workers do before they begin.
      const state =
        kind === 'deliver' ? (await loadDeliveries(db, [job.dispatchId])).get(job.dispatchId)?.state : undefined
      const report = job.resultId === null ? undefined : (await loadReports(db, [job.resultId])).get(job.resultId)
      const cancellable =
        kind === 'cancel' ? (await loadCancellations(db, [job.dispatchId])).get(job.dispatchId) : undefined
      if (cancellable?.isOvertaken === true) await settleCancelOvertaken(db, job)
      else if (state === 'canceled') await settleCanceled(db, job)
      else if (state !== undefined && state !== 'received' && (job.attempts > 0 || job.isFateUnknown))
        await settleProven(db, job)
      else if (report?.isOvertaken === true) await settleOvertaken(db, job)
      else claims.push(job)
    }
  }

const STEPS: Readonly<Record<string, (which: number) => Step>> = {
  'claim the delivery': claim('deliver'),
  'claim a report': claim('report'),
  'claim the cancellation': claim('cancel'),
  'lose the worker': () => async () => {
    await expireLeases(db)
    await rescueJobs(db)
  },
  'provider takes it': byClaimer('deliver', (job) =>
    settleDelivered(db, buildAttempt(job), { providerTaskId: 'T-1', result: undefined }),
  ),
  'provider does it at once': byClaimer('deliver', (job, world) =>
    settleDelivered(db, buildAttempt(job), {
      providerTaskId: 'T-1',
      result: buildResult({ eventId: `E-${(world.number += 1)}` }),
    }),
  ),
  'provider refuses it': byClaimer('deliver', (job) => settleFailed(db, buildAttempt(job), 'http_422')),
  'provider is busy': byClaimer('deliver', (job) => settleRetry(db, buildAttempt(job), RETRY)),
  'provider is too busy': byClaimer('deliver', (job) =>
    settleRetry(db, buildAttempt(job), { ...RETRY, isCharged: false }),
  ),
  'answer is lost': byClaimer('deliver', (job) =>
    settleRetry(db, buildAttempt(job), { ...RETRY, isFateUnknown: true }),
  ),
  'answer is lost for good': byClaimer('deliver', (job) => settleParked(db, buildAttempt(job), 'timeout')),
  'delivery is given back': byClaimer('deliver', (job) => releaseJob(db, { ...job, delayMs: 0, isFateUnknown: false })),
  'delivery is given back in doubt': byClaimer('deliver', (job) =>
    releaseJob(db, { ...job, delayMs: 0, isFateUnknown: true }),
  ),
  'provider tells the end': () => (world) => recordEvent(db, world.id, { eventId: `E-${(world.number += 1)}` }),
  'provider tells the beginning': () => (world) =>
    recordEvent(db, world.id, { eventId: `E-${(world.number += 1)}`, status: 'PENDING' }),
  'provider repeats itself': (which) => (world) => recordEvent(db, world.id, { eventId: `E-${1 + (which % 3)}` }),
  'Reten takes it': byClaimer('report', async (job) => {
    const report = (await loadReports(db, [job.resultId ?? ''])).get(job.resultId ?? '')
    return settleReported(db, buildAttempt(job), { retenResultId: 'R-1', isFinal: report?.status !== 'PENDING' })
  }),
  'Reten refuses it': byClaimer('report', (job) =>
    settleReportEnded(db, buildAttempt(job), { state: 'failed', reasonCode: 'http_400', reason: 'no' }),
  ),
  'Reten is busy': byClaimer('report', (job) => settleReportRetry(db, buildAttempt(job), RETRY)),
  'report is given back': byClaimer('report', (job) => releaseJob(db, { ...job, delayMs: 0, isFateUnknown: true })),
  'operator replays it': () => async (world) => {
    const jobs = await db.selectFrom('jobs').selectAll().where('kind', '<>', 'report').execute()
    if (jobs.every((job) => job.leased_until === null)) await replay(db, world.id)
  },
  'operator cancels it': () => (world) =>
    cancelDispatch(db, { id: world.id, source: 'operator', reason: 'a test', author: AUTHOR }),
  'operator has a parked one repeated': () => (world) =>
    releaseParked(db, { id: world.id, action: 'repeat', providerTaskId: undefined, reason: 'a test', author: AUTHOR }),
  'operator takes a parked one for delivered': () => (world) =>
    releaseParked(db, { id: world.id, action: 'delivered', providerTaskId: 'T-2', reason: 'a test', author: AUTHOR }),
  'provider cancels it': byClaimer('cancel', (job) => settleCancelEnded(db, buildAttempt(job), 'canceled')),
  'provider says it is done': byClaimer('cancel', (job) => settleCancelEnded(db, buildAttempt(job), 'too_late')),
  'provider cancels nothing': byClaimer('cancel', (job) => settleCancelEnded(db, buildAttempt(job), 'refused')),
  'provider is too busy to cancel': byClaimer('cancel', (job) => settleCancelRetry(db, buildAttempt(job), RETRY)),
  'cancellation is given back': byClaimer('cancel', (job) =>
    releaseJob(db, { ...job, delayMs: 0, isFateUnknown: false }),
  ),
  'Reten changes the body': () => (world) => redeliver(db, 'A-1', `change ${(world.number += 1)}`),
}

type NamedStep = [name: string, which: number]

/** Claims more often than anything else: without one most other steps are none. */
const anySteps = () =>
  fc.array(
    fc.tuple(
      fc.oneof(
        {
          weight: 1,
          arbitrary: fc.constantFrom(
            'claim the delivery',
            'claim a report',
            'claim the cancellation',
            'lose the worker',
          ),
        },
        { weight: 2, arbitrary: fc.constantFrom(...Object.keys(STEPS)) },
      ),
      fc.nat(3),
    ),
    { minLength: 1, maxLength: LONGEST },
  )

/** Orders that once went wrong, and are too rare to be drawn. */
const KNOWN: [NamedStep[]][] = [
  [
    [
      ['claim the delivery', 0],
      ['lose the worker', 0],
      ['claim the delivery', 0],
      ['lose the worker', 0],
      ['claim the delivery', 0],
      ['provider tells the end', 0],
      ['lose the worker', 0],
    ],
  ],
]

async function take(world: World, [name, which]: NamedStep): Promise<void> {
  await STEPS[name]?.(which)(world)
}

/** What must hold at any moment, as sentences of what does not. */
async function readFaults(): Promise<readonly string[]> {
  const { rows } = await sql<{ fault: string }>`
    with d as (
      select d.*, j.id as job_id, j.leased_until, j.parked_reason, j.revision as job_revision, j.attempts, j.is_fate_unknown,
        exists (select from results r where r.dispatch_id = d.id and r.state = 'reported' and r.status <> 'PENDING') as is_told
      from dispatches d left join jobs j on j.dispatch_id = d.id and j.kind = 'deliver'
    )
    select 'received and nothing is due' as fault from d where state = 'received' and job_id is null
    union all select 'parked although it is ' || state from d where parked_reason is not null and state <> 'received'
    union all select 'its job is for another revision' from d where job_revision <> revision
    union all select 'delivered without its time' from d where state in ('delivered', 'completed') and delivered_at is null
    union all select state || ' and finished' from d where state in ('received', 'delivered') and finished_at is not null
    union all select state || ' and not finished' from d where state not in ('received', 'delivered') and finished_at is null
    union all select 'a reason although it is ' || state from d where state in ('received', 'delivered') and reason_code is not null
    union all select 'failed without a reason' from d where state = 'failed' and reason_code is null
    union all select 'completed and Reten was not told' from d where state = 'completed' and not is_told
    union all select 'a result that is ' || state || ' has a report due' from results r
      where state <> 'pending' and exists (select from jobs j where j.result_id = r.id)
    union all select 'to be delivered and to be cancelled' from jobs where kind in ('deliver', 'cancel')
      group by dispatch_id having count(*) > 1
    union all select 'to be cancelled although nobody wants it' from d where cancellation is distinct from 'requested'
      and exists (select from jobs j where j.dispatch_id = d.id and j.kind = 'cancel' and j.leased_until is null)
    union all select 'a cancellation although it is received' from d where state = 'received' and cancellation is not null
    union all select 'a claim was settled twice' from attempts group by job_id, claim_no having count(*) > 1
  `.execute(db)
  const unaccounted = (await countUnaccounted(db)).unaccounted + (await countStrayJobs(db))
  return [...rows.map((row) => row.fault), ...(unaccounted > 0 ? [`${unaccounted} unaccounted`] : [])]
}

/** What comes of a job in the end. */
const ENDS: Readonly<Record<JobKind, string>> = {
  deliver: 'provider takes it',
  report: 'Reten takes it',
  cancel: 'provider cancels it',
}

/** Lets every worker come back and every provider answer, until nothing is due any more. */
async function bringToAnEnd(world: World): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) {
    await take(world, ['lose the worker', 0])
    const before = world.claims.length
    await take(world, ['claim the delivery', 0])
    await take(world, ['claim a report', 0])
    await take(world, ['claim the cancellation', 0])
    for (const job of world.claims.slice(before)) {
      const step = ENDS[job.kind]
      const which = world.claims.filter(({ kind }) => kind === job.kind).indexOf(job)
      await take(world, [step, which])
    }
    const jobs = await db.selectFrom('jobs').select('parked_reason').execute()
    if (jobs.every((job) => job.parked_reason !== null)) return
  }
  throw new Error('something stayed due')
}

t.test('a dispatch', async (t) => {
  t.test('is accounted for after everything that may happen to it, in any order, and comes to an end', async (t) => {
    const holdsThroughout = fc.asyncProperty(anySteps(), async (steps) => {
      await clearLedger(db)
      const world: World = { id: await storeDispatch(db), claims: [], number: 0 }
      for (const [index, step] of steps.entries()) {
        await take(world, step)
        const faults = await readFaults()
        if (faults.length > 0) throw new Error(`after step ${index + 1}, ${step[0]}: ${faults.join(', ')}`)
      }
      await bringToAnEnd(world)
      const faults = await readFaults()
      if (faults.length > 0) throw new Error(`at the end: ${faults.join(', ')}`)
    })

    await fc.assert(holdsThroughout, { numRuns: RUNS, examples: KNOWN })

    t.pass(`held in ${RUNS} orders`)
  })

  t.test(
    'is accounted for where several things happen to it at once, and none waits for another for ever',
    async (t) => {
      const atOnce = fc.array(fc.tuple(fc.constantFrom(...Object.keys(STEPS)), fc.nat(3)), {
        minLength: 2,
        maxLength: 5,
      })
      const rounds = fc.array(atOnce, { minLength: 3, maxLength: 6 })
      const holdsThroughout = fc.asyncProperty(rounds, async (rounds) => {
        await clearLedger(db)
        const world: World = { id: await storeDispatch(db), claims: [], number: 0 }
        for (const steps of rounds) {
          await take(world, ['claim the delivery', 0])
          await take(world, ['claim a report', 0])
          await take(world, ['claim the cancellation', 0])
          await Promise.all(steps.map((step) => takeOrYield(world, step)))
          const faults = await readFaults()
          if (faults.length > 0) throw new Error(faults.join(', '))
        }
        await bringToAnEnd(world)
      })

      await fc.assert(holdsThroughout, { numRuns: RUNS })

      t.pass(`held ${RUNS} times`)
    },
  )
})

/** A replay never waits for a worker; it says so and is asked for again by whoever wants it. */
async function takeOrYield(world: World, step: NamedStep): Promise<void> {
  try {
    await take(world, step)
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('not replayed: in_flight')) throw error
  }
}
