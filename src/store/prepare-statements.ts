// Hot statements are prepared once per connection: for a group of eight dispatches, parsing and planning the insert cost
// PostgreSQL as much as carrying it out. A statement says that it is hot by beginning with `-- prepared as <name>`, a line that
// also tells an operator in pg_stat_activity what runs.
//
// Not through a transaction pooler: the next statement may meet another server process, which does not know the name.
import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import type pg from 'pg'

const NAMED = /^-- prepared as (\w+)\n/

/** The pool as Kysely sees it, with statements that name themselves prepared under that name. */
export function prepareStatements(pool: pg.Pool): PostgresPool {
  // Kysely keeps what it knows of a connection by its object, so one connection is always shown as the same one.
  const shown = new WeakMap<pg.PoolClient, PostgresPoolClient>()
  return {
    options: pool.options,
    end: () => pool.end(),
    connect: async () => {
      const client = await pool.connect()
      const known = shown.get(client) ?? preparing(client)
      shown.set(client, known)
      return known
    },
  }
}

function preparing(client: pg.PoolClient): PostgresPoolClient {
  function query<R>(text: string, values: readonly unknown[]): Promise<PostgresQueryResult<R>>
  function query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>
  function query(text: unknown, values: readonly unknown[] = []): unknown {
    if (typeof text !== 'string') throw new Error('cursors are not configured')
    const name = NAMED.exec(text)?.[1]
    return client.query({ text, values: [...values], ...(name === undefined ? {} : { name }) })
  }
  return { query, release: (destroy) => client.release(destroy) }
}
