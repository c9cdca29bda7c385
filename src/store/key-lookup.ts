// Whether a key that memory does not know stands in the database. Keys are looked up together, one query at a time: any number
// of strangers who try keys costs one connection of the pool and no reading of everything.
import { sql } from 'kysely'
import type { Db } from './database.ts'

/** Answers whether a usable key of this purpose and digest (SHA-256, hexadecimal) is stored, of a connection in use. */
export type KeyLookup = (purpose: string, digest: string) => Promise<boolean>

/** Builds a lookup. It rejects with PostgreSQL's errors. */
export function createKeyLookup(db: Db): KeyLookup {
  let asked = new Map<string, { readonly purpose: string; readonly digest: string }>()
  let gathering: Promise<ReadonlySet<string>> | undefined
  let running: Promise<unknown> = Promise.resolve()

  const run = (): Promise<ReadonlySet<string>> => {
    const keys = [...asked.values()]
    asked = new Map()
    gathering = undefined
    const found = findUsable(db, keys)
    running = found.catch(() => {}) // whoever asked is told; the next query starts all the same
    return found
  }

  return async (purpose, digest) => {
    const slot = slotOf(purpose, digest)
    asked.set(slot, { purpose, digest })
    gathering ??= running.then(run)
    return (await gathering).has(slot)
  }
}

async function findUsable(
  db: Db,
  keys: readonly { readonly purpose: string; readonly digest: string }[],
): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ purpose: string; digest: string }>`
    select k.purpose, encode(k.digest, 'hex') as digest
    from connection_keys k join connections c on c.name = k.connection and c.state <> 'archived'
    where (k.purpose, k.digest) in (
        select purpose, decode(digest, 'hex')
        from unnest(${sql.val(keys.map((key) => key.purpose))}::text[],
                    ${sql.val(keys.map((key) => key.digest))}::text[]) as asked (purpose, digest))
      and k.revoked_at is null
      and coalesce(k.not_before <= now(), true) and coalesce(k.not_after > now(), true)`.execute(db)
  return new Set(rows.map((row) => slotOf(row.purpose, row.digest)))
}

function slotOf(purpose: string, digest: string): string {
  return `${purpose}:${digest}`
}
