import { createSilentLogger } from '../../src/logger.ts'
import { openDatabase } from '../../src/store/database.ts'
import type { Db } from '../../src/store/database.ts'
import { createTestDatabase } from './database.ts'
import type { TestDatabaseOptions } from './database.ts'
import type { Scope } from './scope.ts'

/** A pool on a database. */
export interface OpenTestDatabase {
  readonly db: Db
  readonly url: string
}

/** Opens a pool on `url`, or on a database of its own; closed when `t` ends. */
export async function openTestDatabase(
  t: Scope,
  url?: string,
  options: TestDatabaseOptions & { readonly poolSize?: number } = {},
): Promise<OpenTestDatabase> {
  const opened = url ?? (await createTestDatabase(t, options)).url
  const handle = openDatabase({ url: opened, poolSize: options.poolSize ?? 4, logger: createSilentLogger() })
  t.teardown(() => handle.close())
  return { db: handle.db, url: opened }
}
