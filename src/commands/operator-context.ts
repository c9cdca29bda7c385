// What the operators' commands share: the database, a name for the audit log, and how they print.
import { userInfo } from 'node:os'
import Table from 'cli-table3'
import type { Config, Variables } from '../config.ts'
import { loadConfig } from '../config.ts'
import { createSilentLogger } from '../logger.ts'
import type { Logger } from '../logger.ts'
import type { ConnectionDeps } from '../ops/connections.ts'
import type { Db } from '../store/database.ts'
import type { Author } from '../store/write-audit.ts'
import { checkAdapter } from './check-adapter.ts'
import { openCommandDatabase } from './open-database.ts'

export interface OperatorContext {
  readonly config: Config
  readonly db: Db
  readonly logger: Logger
  readonly author: Author
}

/** Runs `work` with a database that is open for so long. */
export type WithinContext = (work: (context: OperatorContext) => Promise<void>) => Promise<void>

/** Opens the database that `variables` name, runs `work` with it, and closes it whatever happens. Throws RCV_CONFIG_INVALID and the like. */
export async function withOperatorContext(
  variables: Variables,
  work: (context: OperatorContext) => Promise<void>,
): Promise<void> {
  const config = loadConfig(variables)
  const logger = createSilentLogger() // the command's own output is what counts
  const database = await openCommandDatabase(config, logger)
  try {
    await work({ config, db: database.db, logger, author: { actor: `shell:${accountName()}` } })
  } finally {
    await database.close()
  }
}

/** What the functions for connections need; there is no catalog here, the running service reads its own again. */
export function toConnectionDeps(context: OperatorContext): ConnectionDeps {
  const { db, config, logger } = context
  return { db, config, logger, checkAdapter, refresh: async () => {} }
}

/** Prints rows for people; cells that are absent are shown as a dash. */
export function printTable(head: readonly string[], rows: readonly (readonly unknown[])[]): void {
  // No colours: they would stand as codes in every file and pipe.
  const table = new Table({ head: [...head], style: { head: [], border: [] } })
  for (const row of rows) table.push(row.map(toCell))
  printLine(table.toString())
}

function toCell(value: unknown): string {
  if (value === null || value === undefined) return '-'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Prints one value for scripts: JSON, and nothing else on standard output. */
export function printJson(value: unknown): void {
  printLine(JSON.stringify(value, undefined, 2))
}

/** Prints one line for people. */
export function printLine(text: string): void {
  process.stdout.write(`${text}\n`)
}

function accountName(): string {
  try {
    return userInfo().username
  } catch {
    return 'unknown' // a container's user id often has no account, and the audit log says so
  }
}
