// Every quarantined body of a connection that did not become a dispatch yet, read again, page by page.
import { listQuarantine } from '../store/list-quarantine.ts'
import type { QuarantinePosition } from '../store/list-quarantine.ts'
import type { Author } from '../store/write-audit.ts'
import { replayQuarantined } from './replay-quarantined.ts'
import type { QuarantineReplayDeps } from './replay-quarantined.ts'

export interface QuarantineSweep {
  readonly connection: string | undefined
  readonly reason: string
  readonly author: Author
  /** Say how many there are and change nothing. */
  readonly isDryRun: boolean
  readonly onProgress: (done: number) => void
}

export interface SweepCounts {
  readonly found: number
  readonly received: number
  /** Still unreadable, by code. */
  readonly unreadable: Readonly<Record<string, number>>
}

const PAGE = 200
// Replays under way at once: they share the inbox's group commit, and leave room for what Reten pushes meanwhile.
const CONCURRENCY = 16

/** Replays them all; what still cannot be read stays where it is. */
export async function replayQuarantine(deps: QuarantineReplayDeps, sweep: QuarantineSweep): Promise<SweepCounts> {
  const unreadable: Record<string, number> = {}
  let [found, received] = [0, 0]
  let after: QuarantinePosition | undefined
  for (;;) {
    const rows = await listQuarantine(deps.db, { connection: sweep.connection, isOpen: true, after, limit: PAGE })
    found += rows.length
    const ids = sweep.isDryRun ? [].values() : rows.map((row) => row.id).values()
    const lane = async (): Promise<void> => {
      for (const id of ids) {
        const reread = await replayQuarantined(deps, { id, reason: sweep.reason, author: sweep.author })
        if (reread.kind === 'received') received += 1
        else unreadable[reread.code] = (unreadable[reread.code] ?? 0) + 1
      }
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, lane))
    sweep.onProgress(found)
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE) return { found, received, unreadable }
    after = { lastReceivedMicros: last.last_received_micros, id: last.id }
  }
}
