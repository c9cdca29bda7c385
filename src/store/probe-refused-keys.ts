// One turn of trying keys that were refused: those whose time has come are asked side by side, and what they say is written down.
import type { Connection } from '../connection.ts'
import type { ProbeAnswer } from '../dispatch/key-probe.ts'
import type { Logger } from '../logger.ts'
import type { ConnectionCatalog } from './connection-catalog.ts'
import type { Db } from './database.ts'
import { findDueProbes } from './find-due-probes.ts'
import type { KeySide } from './refusal-columns.ts'
import { settleProbe } from './settle-probe.ts'

export interface ProbeTurn {
  readonly db: Db
  readonly catalog: ConnectionCatalog
  readonly logger: Logger
  /** Names this process in the audit log. */
  readonly worker: string
  readonly side: KeySide
  /** Asks the other side with the connection's key, harmlessly. */
  readonly ask: (connection: Connection, signal: AbortSignal) => Promise<ProbeAnswer>
  /** Called once where anything goes on again; the catalog knows it by then. */
  readonly onResumed: () => void
}

// Below what a service may take to stop (15 s), and far above what any answer takes that is worth having.
const DEADLINE_MS = 10_000

/** Tries every refused key of one side that is due; answers how many go on. Throws PostgreSQL's errors. */
export async function probeRefusedKeys(turn: ProbeTurn): Promise<number> {
  const due = await findDueProbes(turn.db, turn.side)
  if (due.length === 0) return 0
  // What another process changed a moment ago is what the key is tried for.
  await turn.catalog.refresh()
  const resumed = (await Promise.all(due.map((name) => probe(turn, name)))).filter(Boolean).length
  if (resumed > 0) {
    await turn.catalog.refresh()
    turn.onResumed()
  }
  return resumed
}

async function probe(turn: ProbeTurn, name: string): Promise<boolean> {
  const { db, catalog, logger, side, worker } = turn
  const connection = catalog.get(name)
  if (connection === undefined) return false
  const answer = await askSafely(turn, connection)
  const isResumed = await settleProbe(db, { name, side, version: connection.version, actor: worker }, answer)
  const line = { connection: name, side, answer: answer.kind }
  if (isResumed) {
    const event = side === 'deliveries' ? 'connection.resumed' : 'reporting.resumed'
    logger.info(
      { event, ...line },
      `${name}: the key may be good by now, ${side} go on one at a time until it is proven`,
    )
  } else if (answer.kind !== 'good') {
    logger.warn({ event: 'key.probed', ...line }, `${name}: ${side} stay paused: ${answer.message}`)
  }
  return isResumed
}

/** A connection that cannot be asked, or an adapter that throws, says nothing of the key: asked again later. */
async function askSafely({ ask, logger }: ProbeTurn, connection: Connection): Promise<ProbeAnswer> {
  if (connection.fault !== undefined) return { kind: 'unknown', message: connection.fault }
  try {
    return await ask(connection, AbortSignal.timeout(DEADLINE_MS))
  } catch (error) {
    logger.error(
      { event: 'key.probe_fault', connection: connection.name, err: error },
      'a probe ended in a fault of ours',
    )
    return { kind: 'unknown', message: 'the probe ended in a fault of ours' }
  }
}
