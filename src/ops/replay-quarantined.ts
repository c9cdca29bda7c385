// Reading a quarantined body again, after its connection's field_paths were set right: it goes through the same door as a
// push, so it ends as the same dispatch as if it had been read the first time.
import { isUuid } from '../dispatch/identity.ts'
import { AppError } from '../errors.ts'
import type { Fault } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { Db } from '../store/database.ts'
import { loadQuarantined } from '../store/list-quarantine.ts'
import { markReplayed } from '../store/mark-replayed.ts'
import type { Author } from '../store/write-audit.ts'
import { checkReason } from './reason.ts'

/** A kept body, as it goes through the door again. */
export interface KeptBody {
  readonly connection: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** `unreadable`: it still is, for these faults; nothing changed. */
export type Reread =
  | { readonly kind: 'received'; readonly dispatchId: string; readonly activityId: string; readonly isNew: boolean }
  | { readonly kind: 'unreadable'; readonly code: string; readonly faults: readonly Fault[] }

export interface QuarantineReplayDeps {
  readonly db: Db
  readonly logger: Logger
  /** Takes a body in like a push. Throws RCV_CONNECTION_NOT_FOUND, and the inbox's errors. */
  readonly acceptAgain: (kept: KeptBody) => Promise<Reread>
}

export interface QuarantineReplayInput {
  readonly id: string
  readonly reason: string
  readonly author: Author
}

/** Replays one quarantined body. Throws RCV_REQUEST_INVALID without a reason, RCV_QUARANTINED_NOT_FOUND. */
export async function replayQuarantined(deps: QuarantineReplayDeps, input: QuarantineReplayInput): Promise<Reread> {
  checkReason(input.reason)
  const row = isUuid(input.id) ? await loadQuarantined(deps.db, input.id) : undefined
  if (row === undefined) throw new AppError('RCV_QUARANTINED_NOT_FOUND', `there is no quarantined body ${input.id}`)
  const { connection, headers, body } = row
  const reread = await deps.acceptAgain({ connection, headers, body })
  if (reread.kind === 'unreadable') return reread
  const { dispatchId, activityId } = reread
  await markReplayed(deps.db, { id: row.id, connection, dispatchId, reason: input.reason, author: input.author })
  const line = { event: 'quarantine.replayed', dispatchId, activityId, connection, actor: input.author.actor }
  deps.logger.info(line, `a quarantined body became a dispatch, by ${input.author.actor}`)
  return reread
}
