import type { RetenSandbox } from '../../src/sandbox/start-reten-sandbox.ts'
import type { YomSandbox } from '../../src/sandbox/start-yom-sandbox.ts'
import { createSilentLogger } from '../../src/logger.ts'
import { countAllUnaccounted } from '../../src/store/count-unaccounted.ts'
import { openDatabase } from '../../src/store/database.ts'
import type { Db } from '../../src/store/database.ts'
import type { Evidence, MadeTask, SentActivity, StoredDispatch } from './judge.ts'

export interface Scene {
  readonly reten: RetenSandbox
  readonly yom: YomSandbox
  readonly databaseUrl: string
}

/** Reads everything there is to be known, at both ends and in between, as it is now. */
export async function gatherEvidence({ reten, yom, databaseUrl }: Scene): Promise<Evidence> {
  const handle = openDatabase({ url: databaseUrl, poolSize: 1, logger: createSilentLogger() })
  try {
    const jobs = await handle.db.selectFrom('jobs').select(['dispatch_id', 'parked_reason']).execute()
    const parked = new Set(jobs.filter((job) => job.parked_reason !== null).map((job) => job.dispatch_id))
    const counts = reten.counts()
    return {
      activities: readActivities(reten),
      tasks: readTasks(yom),
      stored: await readLedger(handle.db, parked),
      jobsLeft: jobs.filter((job) => job.parked_reason === null).length,
      unaccounted: await countAllUnaccounted(handle.db),
      doubledAtReten: counts.doubled + counts.differingProviderIds + counts.standalone,
      doubledAtYom: yom.counts().doubled,
    }
  } finally {
    await handle.close()
  }
}

/** What Reten's stand-in knows of its activities. */
export function readActivities(reten: RetenSandbox): SentActivity[] {
  return reten.activities().map(({ id, status, pushes, registrations, result }) => {
    const sent = pushes.filter((push) => push.outcome !== 'never_sent')
    const acknowledged = pushes.filter((push) => push.outcome === 'acknowledged')
    const [first] = acknowledged
    const isFinal = result !== undefined && result.coreStatus !== 'PENDING'
    return {
      id,
      status,
      attempts: pushes.map(({ outcome, statusCode, error, at }) => `${at} ${outcome}: ${statusCode ?? error ?? ''}`),
      acknowledgedAs: acknowledged.flatMap((push) => push.providerActivityId ?? []),
      acknowledgedAtMs: first === undefined ? undefined : Date.parse(first.at) + first.durationMs,
      sentAtMs: sent[0] === undefined ? undefined : Date.parse(sent[0].at),
      registrations: registrations.final,
      resultCode: result?.taskDetails.result ?? undefined,
      registeredAtMs: isFinal ? Date.parse(result.createdAt) : undefined,
    }
  })
}

function readTasks(yom: YomSandbox): MadeTask[] {
  return yom
    .tasks()
    .filter((task) => task.status !== 'CANCELLED')
    .map(({ externalId, activityId, outcome }) => ({ externalId, activityId, resultCode: outcome?.result }))
}

async function readLedger(db: Db, parked: ReadonlySet<string>): Promise<StoredDispatch[]> {
  const rows = await db.selectFrom('dispatches').select(['id', 'activity_id', 'state', 'reason_code']).execute()
  return rows.map((row) => ({
    id: row.id,
    activityId: row.activity_id,
    state: row.state,
    reasonCode: row.reason_code,
    isParked: parked.has(row.id),
  }))
}
