// The service is killed and stays away for ten of Reten's minutes, in which 500 activities are dispatched and every one of them is
// given up. Then it is started again: what it finds, delivers and reports, what ends before a person, and how long that takes, with
// the activities visible in the list for providers or hidden, and with results for them taken or refused.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createSilentLogger } from '../../../src/logger.ts'
import { createSandboxClock } from '../../../src/sandbox/clock.ts'
import type { SandboxClock } from '../../../src/sandbox/clock.ts'
import type { RetenSandbox } from '../../../src/sandbox/start-reten-sandbox.ts'
import { openDatabase } from '../../../src/store/database.ts'
import { migrate } from '../../../src/store/migrate.ts'
import { createScope } from '../../support/scope.ts'
import type { Scope } from '../../support/scope.ts'
import { openStage } from '../../support/stage.ts'
import { startDatabase } from '../database.ts'
import type { ChaosDatabase } from '../database.ts'
import { CHECKOUT } from '../releases.ts'
import { startInstance } from '../service.ts'

export interface MissedCase {
  readonly isVisible: boolean
  readonly areResultsTaken: boolean
}

/** What became of all of them. */
export interface MissedOutcome {
  /** Taken from Reten's list. */
  readonly found: number
  /** Tasks at YOM. */
  readonly delivered: number
  /** Final results at Reten. */
  readonly accepted: number
  /** Named in the history, or with a result that Reten refused. */
  readonly beforeAPerson: number
  readonly doubled: number
  /** From the second start's readiness until nothing moved any more. */
  readonly seconds: number
}

export const MISSED_CASES: readonly MissedCase[] = [
  { isVisible: true, areResultsTaken: true },
  { isVisible: true, areResultsTaken: false },
  { isVisible: false, areResultsTaken: true },
  { isVisible: false, areResultsTaken: false },
]

export const MISSED = 500
/** What was missed is done this long after we are back. */
export const MOST_SECONDS = 300
const MINUTE_MS = 60_000
const AWAY_MS = 10 * MINUTE_MS
const DISPATCH_PERIOD_MS = 30_000
const POLL_MS = 250
// A webhook that comes twice, or a report that is repeated, is counted after it.
const LAST_WORD_MS = 2_000

/** Plays one case. Rejects when it cannot be played, or takes longer than `MOST_SECONDS`. */
export async function runMissed(
  { isVisible, areResultsTaken }: MissedCase,
  seed: number,
  signal: AbortSignal,
): Promise<MissedOutcome> {
  const scope = createScope()
  try {
    const directory = mkdtempSync(join(tmpdir(), 'receiver-missed-logs-'))
    scope.teardown(() => rmSync(directory, { recursive: true, force: true }))
    const database = await openMigrated(scope)
    const clock = createSandboxClock({ startAtMs: Date.now() - AWAY_MS - 4 * MINUTE_MS })
    const stage = await openStage(scope, {
      databaseUrl: database.url,
      reten: {
        seed,
        clock,
        switches: {
          payloadShape: 'mixed',
          failedInList: isVisible ? 'PENDING' : 'hidden',
          failedTakesResults: areResultsTaken ? 'accept' : 'refuse',
        },
      },
      yom: { seed, clock, switches: { workMinMs: 0, workMaxMs: 200, webhookRetryMs: 250 } },
      // This tenant's connection is older than the outage, by Reten's clock as well.
      connection: { max_in_flight: 32, reconcile_from: new Date(clock.nowMs()).toISOString() },
    })
    const start = (name: string) =>
      startInstance(scope, { name, release: CHECKOUT, directory, settings: { ...stage.settings, LOG_LEVEL: 'info' } })
    const first = await start('first')
    stage.connect(first.publicUrl)
    await first.end('SIGKILL')
    await dispatchToNobody(stage.reten, clock, signal)

    const second = await start('second')
    stage.connect(second.publicUrl)
    const from = performance.now()
    await untilSettled(database, isVisible, signal)
    const seconds = Math.round((performance.now() - from) / 100) / 10
    await pause(LAST_WORD_MS, undefined, { signal })
    await stage.yom.idle()
    const counts = stage.reten.counts()
    return {
      ...(await readOutcome(database)),
      delivered: stage.yom.counts().tasks,
      accepted: counts.registered,
      doubled: counts.doubled + counts.differingProviderIds + stage.yom.counts().doubled,
      seconds,
    }
  } finally {
    await scope.end()
  }
}

async function openMigrated(scope: Scope): Promise<ChaosDatabase> {
  const database = await startDatabase(scope)
  const handle = openDatabase({ url: database.url, poolSize: 1, logger: createSilentLogger() })
  try {
    await migrate(handle.db)
  } finally {
    await handle.close()
  }
  return database
}

/** Reten's runs, half a minute of its time apart, until all were tried three times; then its clock goes on to the present. */
async function dispatchToNobody(reten: RetenSandbox, clock: SandboxClock, signal: AbortSignal): Promise<void> {
  const goneAtMs = clock.nowMs()
  reten.createActivities(MISSED)
  while (reten.activities().some(({ status }) => status === 'READY')) {
    signal.throwIfAborted()
    await reten.dispatchOnce()
    clock.advance(DISPATCH_PERIOD_MS)
  }
  clock.advance(Math.max(0, goneAtMs + AWAY_MS - clock.nowMs()))
  clock.advance(Math.max(0, Date.now() - clock.nowMs()))
}

async function untilSettled(database: ChaosDatabase, isVisible: boolean, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + MOST_SECONDS * 1_000
  while (performance.now() < deadline) {
    const { found, beforeAPerson, settled } = await readOutcome(database)
    if (isVisible ? found === MISSED && settled === MISSED : beforeAPerson === MISSED) return
    await pause(POLL_MS, undefined, { signal })
  }
  throw new Error(`not settled within ${MOST_SECONDS} s: ${JSON.stringify(await readOutcome(database))}`)
}

async function readOutcome(database: ChaosDatabase) {
  const [row] = await database.query<{ found: number; refused: number; settled: number; named: number }>(`
    select (select count(*)::int from dispatches where origin = 'reconciled') as found,
           (select count(*)::int from results where state in ('conflict', 'failed', 'unproven')) as refused,
           (select count(*)::int from results where state <> 'pending') as settled,
           (select coalesce(max(differences), 0)::int from reconciliations) as named`)
  const { found = 0, refused = 0, settled = 0, named = 0 } = row ?? {}
  return { found, settled, beforeAPerson: refused + named }
}
