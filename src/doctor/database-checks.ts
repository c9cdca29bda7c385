// The database: is it there, is it the right one, does it hold what this release needs, is there room, is it fast enough.
import type { Config } from '../config.ts'
import type { Db } from '../store/database.ts'
import { errorCode } from '../store/database-errors.ts'
import { measureCommits } from '../store/measure-commits.ts'
import { readMigrationState } from '../store/migrate.ts'
import { readDatabaseFacts } from '../store/read-database-facts.ts'
import type { DatabaseFacts } from '../store/read-database-facts.ts'
import { failed, ok, unchecked, warning } from './finding.ts'
import type { Verdict } from './finding.ts'
import { once } from './run-checks.ts'
import type { Check } from './run-checks.ts'

export interface ExaminedDatabase {
  readonly db: Db
  /** Host, port and name: what may be shown of its address. */
  readonly address: string
  readonly isEmbedded: boolean
}

export interface DatabaseChecksInput {
  readonly database: ExaminedDatabase
  readonly config: Pick<Config, 'databasePoolSize'>
}

const LEAST_VERSION = 140_000
/** Beside DATABASE_POOL_SIZE: two connections for leases and readiness, one for LISTEN. */
const CONNECTIONS_BESIDE_POOL = 3
const COMMITS = 11
// Every acknowledgement waits for one commit. Next door it takes 1 to 5 ms; beyond this the database is far away or its disk slow.
const SLOW_COMMIT_MS = 25

const AWAY = 'the database cannot be used, see above'

/** Builds the checks, to be run one after another. */
export function buildDatabaseChecks({ database, config }: DatabaseChecksInput): readonly Check[] {
  const { db } = database
  const facts = once(() => readDatabaseFacts(db).catch((error: unknown) => ({ error })))
  const withFacts = async (judge: (known: DatabaseFacts) => Verdict | Promise<Verdict>): Promise<Verdict> => {
    const known = await facts()
    return 'error' in known ? unchecked(AWAY) : judge(known)
  }
  return [
    {
      name: 'database',
      run: async () => {
        const known = await facts()
        return 'error' in known ? describeAway(known.error, database.address) : describeReached(known, database)
      },
    },
    { name: 'database version', run: () => withFacts(judgeVersion) },
    { name: 'migrations', run: () => withFacts(() => judgeMigrations(database)) },
    { name: 'database connections', run: () => withFacts((known) => judgeRoom(known, config.databasePoolSize)) },
    { name: 'commit latency', run: () => withFacts((known) => judgeCommits(db, known)) },
  ]
}

/** The verdict for a database that cannot be used, by the code of its error. */
export function describeAway(error: unknown, address: string): Verdict {
  const code = errorCode(error) ?? ''
  const message = error instanceof Error && error.message !== '' ? error.message : code || 'no answer'
  const found = `the database at ${address} cannot be used: ${message}`
  if (code.startsWith('28')) return failed(found, 'correct the user or the password in DATABASE_URL')
  if (code.startsWith('3D')) return failed(found, 'create that database, or correct its name in DATABASE_URL')
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return failed(found, 'correct the host in DATABASE_URL')
  if (code.startsWith('53')) return failed(found, 'raise max_connections there, or close what uses them up')
  return failed(found, 'start it, or correct the host and the port in DATABASE_URL; a firewall may stand between')
}

function describeReached(facts: DatabaseFacts, { address, isEmbedded }: ExaminedDatabase): Verdict {
  if (facts.isReadOnly) {
    return failed(`the database at ${address} takes no writes`, 'point DATABASE_URL to the primary, not to a standby')
  }
  if (!isEmbedded) return ok(`${address} answers`)
  return warning(
    'the embedded database answers: right for trying out, and lost with this disk',
    'set DATABASE_URL to a PostgreSQL that is backed up before real dispatches arrive',
  )
}

function judgeVersion({ version, versionNumber }: DatabaseFacts): Verdict {
  if (versionNumber >= LEAST_VERSION) return ok(`PostgreSQL ${version}`)
  return failed(`PostgreSQL ${version} is older than 14`, 'move to 14 or later and set DATABASE_URL to it')
}

async function judgeMigrations({ db, isEmbedded }: ExaminedDatabase): Promise<Verdict> {
  const { pending, unknown, breaking } = await readMigrationState(db)
  if (breaking.length > 0) {
    const found = `a newer release changed the database by ${breaking.join(', ')}, which this one cannot run beside`
    return failed(found, 'deploy the newer release')
  }
  if (pending.length > 0 && isEmbedded) return ok(`${pending.join(', ')} will be applied when the service starts`)
  if (pending.length > 0) return failed(`the database lacks ${pending.join(', ')}`, 'run "npm run migrate"')
  return ok(unknown.length === 0 ? 'up to date' : `up to date; ${unknown.join(', ')} of a newer release do no harm`)
}

function judgeRoom({ connectionLimit, usedByOthers }: DatabaseFacts, poolSize: number): Verdict {
  const needed = Math.max(2, poolSize) + CONNECTIONS_BESIDE_POOL
  const fitting = Math.max(0, Math.floor((connectionLimit - usedByOthers) / needed))
  const found =
    `an instance opens up to ${needed} connections; ${connectionLimit} may be open, others use ${usedByOthers}: ` +
    `room for ${fitting} ${fitting === 1 ? 'instance' : 'instances'}`
  const advice = 'lower DATABASE_POOL_SIZE, or raise max_connections (or the limit of the role or database) there'
  if (fitting === 0) return failed(found, advice)
  // A deploy that leaves no gap starts the new instance before the old one ends.
  return fitting === 1 ? warning(`${found}, so none to deploy beside it`, advice) : ok(found)
}

async function judgeCommits(db: Db, { isDurable, isReadOnly }: DatabaseFacts): Promise<Verdict> {
  if (isReadOnly) return unchecked(AWAY)
  const durations = [...(await measureCommits(db, COMMITS))].sort((one, other) => one - other)
  const medianMs = durations[COMMITS >> 1] ?? 0
  const found = `a commit takes ${toMs(medianMs)}, at most ${toMs(durations.at(-1) ?? 0)} of ${COMMITS}`
  if (!isDurable) {
    const lost = `${found}, but it is answered before it is on disk: a crash loses what was acknowledged`
    return warning(lost, 'set fsync and synchronous_commit to on there')
  }
  if (medianMs <= SLOW_COMMIT_MS) return ok(found)
  return warning(
    `${found}; every acknowledgement waits for one`,
    'run the service in the region of the database, or give the database a faster disk',
  )
}

function toMs(ms: number): string {
  return `${ms.toFixed(1)} ms`
}
