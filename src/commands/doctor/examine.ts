// The whole examination: settings, database, connections, public address. It goes on with what can be checked whatever fails.
import type { Config, Variables } from '../../config.ts'
import { loadConfig } from '../../config.ts'
import type { Connection } from '../../connection.ts'
import { examineConnection } from '../../doctor/connection-checks.ts'
import { buildDatabaseChecks } from '../../doctor/database-checks.ts'
import { failed, ok, unchecked } from '../../doctor/finding.ts'
import type { Finding, Verdict } from '../../doctor/finding.ts'
import { buildPublicUrlChecks } from '../../doctor/public-url.ts'
import { runCheck, runTogether } from '../../doctor/run-checks.ts'
import type { Check } from '../../doctor/run-checks.ts'
import { describeSettings, describeWrongSettings } from '../../doctor/settings.ts'
import { readEnvironmentSubject } from '../../doctor/subject.ts'
import { AppError } from '../../errors.ts'
import { createHttpClient } from '../../http-client.ts'
import type { HttpClient } from '../../http-client.ts'
import { createSilentLogger } from '../../logger.ts'
import { createConnectionCatalog, ENVIRONMENT_CONNECTION } from '../../store/connection-catalog.ts'
import { openDatabase } from '../../store/database.ts'
import type { Db } from '../../store/database.ts'
import { isDatabaseAway, isMissingTable } from '../../store/database-errors.ts'
import { systemClock } from '../../time.ts'
import { addressOf, findDatabase } from '../open-database.ts'
import { openExaminedAdapter } from '../open-examined-adapter.ts'

export interface ExaminationInput {
  readonly variables: Variables
  /** Only this one; undefined: all. */
  readonly connection: string | undefined
  /** Without /activities. */
  readonly publicUrl: string | undefined
  /** Told of each finding as it comes. */
  readonly onFinding: (finding: Finding) => void
  /** Told what is being looked at. */
  readonly onProgress: (what: string) => void
}

interface Examination extends ExaminationInput {
  readonly config: Config
  readonly http: HttpClient
}

// A command, not a service: it tells what is slow rather than waiting for it.
const CONNECT_TIMEOUT_MS = 5_000
const STATEMENT_TIMEOUT_MS = 10_000
const SILENCE_TIMEOUT_MS = 12_000

/** Runs every check. Resolves whatever is wrong; rejects for faults of ours. */
export async function examine(input: ExaminationInput): Promise<void> {
  const config = readSettings(input)
  if (config === undefined) return
  const http = createHttpClient()
  const examination = { ...input, config, http }
  try {
    await examineStored(examination)
    if (input.publicUrl !== undefined) {
      input.onProgress(input.publicUrl)
      await runTogether(buildPublicUrlChecks(input.publicUrl, http), [], input.onFinding)
    }
  } finally {
    await http.close()
  }
}

function readSettings({ variables, onFinding }: ExaminationInput): Config | undefined {
  try {
    const config = loadConfig(variables)
    for (const finding of describeSettings(config)) onFinding(finding)
    return config
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'RCV_CONFIG_INVALID') throw error
    for (const finding of describeWrongSettings(error)) onFinding(finding)
    const rest = unchecked('database, connections and the rest need valid settings', 'correct the settings first')
    onFinding({ check: 'everything else', ...rest })
    return undefined
  }
}

/** The database, and the connections as far as it can be read. */
async function examineStored(examination: Examination): Promise<void> {
  const { config, onFinding, onProgress } = examination
  const logger = createSilentLogger()
  onProgress('the database')
  let source: Awaited<ReturnType<typeof findDatabase>>
  try {
    source = await findDatabase(config, logger)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    onFinding({ check: 'database', ...failed(error.message, 'set DATABASE_URL to a PostgreSQL 14 or later') })
    return examineConnections(examination, undefined)
  }
  const handle = openDatabase({
    url: source.url,
    poolSize: 2,
    logger,
    isPooled: source.url !== source.directUrl,
    applicationName: 'reten-dispatch-doctor',
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    silenceTimeoutMs: SILENCE_TIMEOUT_MS,
  })
  try {
    const database = { db: handle.db, address: addressOf(source.url), isEmbedded: source.isEmbedded }
    const isUsable = await examineDatabase(examination, buildDatabaseChecks({ database, config }), source.url)
    await examineConnections(examination, isUsable ? handle.db : undefined)
  } finally {
    await handle.close()
    await source.stop()
  }
}

/** Answers whether the database can be asked more. One after another: the commits are measured on a server that does nothing else of ours. */
async function examineDatabase(examination: Examination, checks: readonly Check[], url: string): Promise<boolean> {
  const secrets = [decodeURIComponent(new URL(url).password)]
  let isUsable = true
  for (const check of checks) {
    const finding = await runCheck(check, secrets)
    examination.onFinding(finding)
    if (check.name === 'database' && finding.status === 'failed') isUsable = false
  }
  return isUsable
}

async function examineConnections(examination: Examination, db: Db | undefined): Promise<void> {
  const { config, http, publicUrl, onFinding, onProgress } = examination
  const stored = db === undefined ? undefined : await readStored(db, config)
  // Tables that are not there yet, or a database that went away meanwhile, cannot be asked for the rest either.
  const usable = stored === undefined ? undefined : db
  for (const connection of chooseConnections(examination, stored)) {
    onProgress(`connection ${connection.name}`)
    const subject = { connection, config, http, publicUrl, db: usable }
    await examineConnection({ ...subject, clock: systemClock, openAdapter: openExaminedAdapter }, onFinding)
  }
}

/** Those asked for; says which there are, or what is missing. */
function chooseConnections(examination: Examination, stored: readonly Connection[] | undefined): readonly Connection[] {
  const { config, connection: wanted, onFinding } = examination
  const before = stored?.find(({ name }) => name === ENVIRONMENT_CONNECTION)
  const environment = readEnvironmentSubject(config, before)
  const managed = (stored ?? []).filter(({ origin }) => origin === 'managed')
  const all = [...(environment === undefined ? [] : [environment]), ...managed]
  const chosen = wanted === undefined ? all : all.filter(({ name }) => name === wanted)
  onFinding({ check: 'connections', ...judgeConnections(chosen, wanted, stored !== undefined) })
  return chosen
}

function judgeConnections(chosen: readonly Connection[], wanted: string | undefined, areAllKnown: boolean): Verdict {
  const names = chosen.map(({ name }) => name).join(', ')
  if (!areAllKnown) {
    const found = names === '' ? 'none can be read' : `only ${names} of the environment can be read`
    return unchecked(`${found}: stored ones need a database that is up to date`, 'see the lines above')
  }
  if (chosen.length > 0) return ok(names)
  return wanted === undefined
    ? failed('there is none, so every dispatch is refused', 'run "npm run connections -- add", or set DISPATCH_API_KEY')
    : failed(`there is none named ${wanted}`, 'run "npm run connections -- list", or correct --connection')
}

/** Undefined where they cannot be read; why stands in the lines on the database. */
async function readStored(db: Db, config: Config): Promise<readonly Connection[] | undefined> {
  const catalog = createConnectionCatalog({ db, config, logger: createSilentLogger() })
  try {
    await catalog.refresh()
  } catch (error) {
    if (isDatabaseAway(error) || isMissingTable(error)) return undefined
    throw error
  }
  return catalog.list()
}
