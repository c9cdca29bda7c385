// Looks at a sample of the bodies that were pushed since the last time, and says once of each change in their fields that it is
// there: a line in the log, a count, a row in the list. On one instance at a time; no request waits for it.
import { setImmediate as giveWay } from 'node:timers/promises'
import { ANY_NAME, fieldName, readShape } from '../dispatch/body-shape.ts'
import { NOTHING_KNOWN } from '../dispatch/known-fields.ts'
import { createDriftJudge } from '../dispatch/schema-drift.ts'
import type { DriftJudge } from '../dispatch/schema-drift.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import { parseBody } from '../parse-body.ts'
import { createPeriodic } from '../periodic.ts'
import type { Service } from '../services.ts'
import type { Db } from '../store/database.ts'
import { keepDrift, loadShapes } from '../store/keep-drift.ts'
import type { NewKnowledge, StoredShape } from '../store/keep-drift.ts'
import { readNewBodies } from '../store/read-new-bodies.ts'
import type { NewBody } from '../store/read-new-bodies.ts'

export interface DriftWatchDeps {
  readonly db: Db
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'schemaDrift'>
  /** Whether this instance's turn it is. */
  readonly guard: () => Promise<boolean>
}

export interface DriftWatch extends Service {
  /** Looks at the next sample; for tests. Rejects with PostgreSQL's error. */
  runOnce(): Promise<void>
}

const EVERY_10_SECONDS = '5-59/10 * * * * *'
/** Reten names two; the words are the sender's, and each has a row. The rest of a connection's share one. */
const MAX_TYPES = 16

/** Builds the service. */
export function createDriftWatch({ db, logger, metrics, guard }: DriftWatchDeps): DriftWatch {
  const runOnce = async (): Promise<void> => {
    const batch = await readNewBodies(db)
    if (batch === undefined) return
    const connections = [...new Set(batch.bodies.map(({ connection }) => connection))]
    const judges = openJudges(await loadShapes(db, connections))
    for (const body of batch.bodies) {
      await giveWay() // to requests: a body takes less than a millisecond, a crafted one some
      lookAt(body, judges.of(body))
    }
    const judged = judges.finish()
    const { fromSeq, toSeq } = batch
    // Another instance has looked at the same bodies, and says what it found.
    if (!(await keepDrift(db, { fromSeq, toSeq, knowledge: judged }))) return
    for (const knowledge of judged) tell(logger, metrics, knowledge)
  }

  const periodic = createPeriodic({ name: 'watch-drift', pattern: EVERY_10_SECONDS, logger, guard, run: runOnce })
  return { ...periodic, runOnce }
}

function lookAt(body: NewBody, judge: DriftJudge): void {
  const parsed = parseBody(body.bytes)
  const shape = parsed.ok ? readShape(parsed.value) : undefined
  if (shape !== undefined) judge.look(shape, body.receivedAt.toISOString())
}

/** One judge for each connection and activity type that a body comes from. */
function openJudges(stored: readonly StoredShape[]) {
  const shapes = new Map(stored.map(({ connection, activityType, shape }) => [keyOf(connection, activityType), shape]))
  const typeCounts = new Map<string, number>()
  for (const { connection } of stored) typeCounts.set(connection, (typeCounts.get(connection) ?? 0) + 1)
  const judges = new Map<string, { connection: string; activityType: string; judge: DriftJudge }>()

  const open = (connection: string, activityType: string): DriftJudge => {
    const key = keyOf(connection, activityType)
    const opened = judges.get(key)
    if (opened !== undefined) return opened.judge
    const shape = shapes.get(key)
    const types = typeCounts.get(connection) ?? 0
    if (shape === undefined && types >= MAX_TYPES && activityType !== ANY_NAME) return open(connection, ANY_NAME)
    if (shape === undefined) typeCounts.set(connection, types + 1)
    const judge = createDriftJudge(shape ?? NOTHING_KNOWN)
    judges.set(key, { connection, activityType, judge })
    return judge
  }

  return {
    of: ({ connection, activityType }: NewBody): DriftJudge => open(connection, fieldName(activityType)),
    finish: (): readonly NewKnowledge[] =>
      [...judges.values()].map(({ connection, activityType, judge }) => {
        const { known: shape, changes } = judge.finish()
        return { connection, activityType, shape, changes }
      }),
  }
}

/** A connection's name holds no space. */
function keyOf(connection: string, activityType: string): string {
  return `${connection} ${activityType}`
}

function tell(logger: Logger, metrics: Pick<Metrics, 'schemaDrift'>, judged: NewKnowledge): void {
  const { connection, activityType } = judged
  for (const { isFresh, change, path, types, formerTypes, bodies } of judged.changes) {
    if (!isFresh) continue
    metrics.schemaDrift.inc({ connection, change })
    logger.warn(
      { event: 'schema.drifted', connection, activityType, change, path, types, formerTypes, bodyCount: bodies },
      `a field of Reten's bodies is ${change}`,
    )
  }
}
