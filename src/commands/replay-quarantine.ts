// npm run replay -- --quarantined: reads kept bodies again, with the connections as they are now.
import { replayQuarantine } from '../ops/replay-quarantine.ts'
import { checkReason } from '../ops/reason.ts'
import { createConnectionCatalog } from '../store/connection-catalog.ts'
import { buildAcceptAgain } from './accept-again.ts'
import { buildStoreInbox } from './build-inbox.ts'
import { printJson, printLine } from './operator-context.ts'
import type { OperatorContext } from './operator-context.ts'

export interface QuarantineOptions {
  readonly reason: string
  readonly dryRun?: boolean
  readonly json?: boolean
  readonly connection?: string
}

/** Replays the quarantine and prints what came of it; the running service delivers it with its next poll. */
export async function replayQuarantineByCommand(context: OperatorContext, options: QuarantineOptions): Promise<void> {
  const { db, config, logger, author } = context
  checkReason(options.reason)
  const catalog = createConnectionCatalog({ db, config, logger })
  await catalog.refresh()
  const inbox = buildStoreInbox(db)
  const isDryRun = options.dryRun === true
  const counts = await replayQuarantine(
    { db, logger, acceptAgain: buildAcceptAgain(inbox, catalog) },
    {
      connection: options.connection,
      reason: options.reason,
      author,
      isDryRun,
      onProgress: (done) => process.stderr.write(`${done} read\n`),
    },
  )
  await inbox.close()
  if (options.json === true) {
    printJson(counts)
    return
  }
  const still = Object.entries(counts.unreadable).map(([code, count]) => `${count} ${code}`)
  if (isDryRun) printLine(`${counts.found} quarantined bodies would be read again`)
  else
    printLine(
      `${counts.received} of ${counts.found} became dispatches${still.length === 0 ? '' : `; still unreadable: ${still.join(', ')}`}`,
    )
}
