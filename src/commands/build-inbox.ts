import { createInbox } from '../receive/inbox.ts'
import type { Inbox, InboxDeps } from '../receive/inbox.ts'
import type { Db } from '../store/database.ts'
import { insertDispatches } from '../store/insert-dispatches.ts'
import { ensureDayPartitions } from '../store/partitions.ts'
import { recordRepeat } from '../store/record-repeat.ts'

/** The inbox over a database; nobody is told of its commits unless said. */
export function buildStoreInbox(db: Db, told: Partial<Pick<InboxDeps, 'onCommitted' | 'observeBatch'>> = {}): Inbox {
  return createInbox({
    insert: (rows) => insertDispatches(db, rows),
    recordRepeat: (repeat) => recordRepeat(db, repeat),
    ensurePartitions: () => ensureDayPartitions(db),
    onCommitted: told.onCommitted ?? (() => {}),
    observeBatch: told.observeBatch ?? (() => {}),
  })
}
