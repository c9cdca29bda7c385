// Who did what, when and why. Written in the transaction of the change itself: a change without its entry cannot exist.
import type { Db } from './database.ts'

/** On whose behalf something is done. */
export interface Author {
  /** The name of an admin token, or `shell:` and the account's name for a command. */
  readonly actor: string
  /** Our id of the request, where there was one. */
  readonly requestId?: string | undefined
}

/** One deed. `action` is past tense and dotted, e.g. `dispatch.replayed`; `detail` never holds secrets. */
export interface AuditEntry {
  readonly author: Author
  readonly action: string
  readonly connection?: string | undefined
  /** What it was done to: a dispatch's id, a connection's name, a key's id. */
  readonly target?: string | undefined
  readonly reason?: string | undefined
  readonly detail?: Readonly<Record<string, unknown>> | undefined
}

/** Appends one entry. */
export async function writeAudit(db: Db, entry: AuditEntry): Promise<void> {
  await db
    .insertInto('audit_log')
    .values({
      actor: entry.author.actor,
      request_id: entry.author.requestId ?? null,
      action: entry.action,
      connection: entry.connection ?? null,
      target: entry.target ?? null,
      reason: entry.reason ?? null,
      detail: JSON.stringify(entry.detail ?? {}),
    })
    .execute()
}
