// Everything that is checked of one connection, for the command and the admin API alike. Nothing of it changes anything at Reten
// or at the provider.
import { checkSettings } from '../connection.ts'
import { AppError } from '../errors.ts'
import { openSecrets } from '../secret-box.ts'
import { countResultCodes } from '../store/count-result-codes.ts'
import { showConnection } from '../store/show-connection.ts'
import { failed, ok, unchecked, warning } from './finding.ts'
import type { Finding, Verdict } from './finding.ts'
import { judgeKeys } from './key-checks.ts'
import { buildProviderChecks } from './provider-checks.ts'
import type { AdapterReading } from './provider-checks.ts'
import { buildRetenChecks } from './reten-checks.ts'
import { judgeResultCodes } from './result-codes.ts'
import { createRetenTalk } from './reten-talk.ts'
import type { RetenTalk } from './reten-talk.ts'
import { once, runTogether } from './run-checks.ts'
import type { Check } from './run-checks.ts'
import { secretsOf } from './subject.ts'
import type { Subject } from './subject.ts'

/** As far back as results are looked at; a page of the ledger's index. */
const DISPATCHES_LOOKED_AT = 2_000

/** Examines one connection; `onFinding` is told each finding as it comes, in their order. */
export async function examineConnection(
  subject: Subject,
  onFinding?: (finding: Finding) => void,
): Promise<readonly Finding[]> {
  const { connection, http, clock, publicUrl } = subject
  const talk = createRetenTalk(connection, http, clock)
  const openAdapter = once(() => readAdapter(subject))
  const about = (name: string, run: Check['run']): Check => ({ name, connection: connection.name, run })
  const checks = [
    about('state', async () => judgeState(subject)),
    about('stored settings', () => judgeStored(subject)),
    about('dispatch key', () => judgeKeys(subject, 'dispatch')),
    ...buildRetenChecks({ connection, talk, publicUrl }),
    about('result codes', (signal) => judgeCodes(subject, talk, signal)),
    ...buildProviderChecks(subject, openAdapter),
  ]
  const findings = await runTogether(checks, secretsOf(subject), onFinding)
  const opened = await openAdapter()
  if ('adapter' in opened) await opened.adapter.close()
  return findings
}

async function readAdapter({ connection, http, openAdapter }: Subject): Promise<AdapterReading> {
  try {
    return { adapter: await openAdapter(connection, http) }
  } catch (error) {
    if (error instanceof AppError) return { fault: error }
    throw error
  }
}

function judgeState({ connection, db }: Subject): Verdict {
  const { name, state, stateReason, pausedBy, reporting } = connection
  if (state === 'paused') {
    const advice =
      pausedBy === 'service'
        ? 'mend what the lines below say; it then goes on by itself'
        : `run "npm run connections -- resume ${name}" when it may go on`
    return warning(
      `deliveries are paused by ${pausedBy === 'service' ? 'the service' : 'an operator'}: ${stateReason}`,
      advice,
    )
  }
  if (reporting.state === 'paused') {
    return warning(
      `reporting is paused: ${reporting.reason}`,
      'mend what the lines below say; it then goes on by itself',
    )
  }
  return db === undefined ? unchecked('the database cannot be asked') : ok('active')
}

/** What is stored can be read: secrets by SECRETS_KEY, settings by this release. */
async function judgeStored({ connection, config, db }: Subject): Promise<Verdict> {
  const { name } = connection
  if (connection.origin === 'environment') return ok('nothing is stored: all of it comes from the environment')
  const row = db === undefined ? undefined : await showConnection(db, name)
  if (row === undefined) return unchecked('the database cannot be asked')
  try {
    checkSettings(row.settings)
    if (row.secrets === null || row.secrets_key_id === null) return ok('readable; no secret is stored')
    openSecrets(config.secretsKeys, name, { keyId: row.secrets_key_id, bytes: row.secrets })
    return ok(`readable; its secrets open with key ${row.secrets_key_id} of SECRETS_KEY`)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const { code, message } = error
    if (code === 'RCV_SECRETS_KEY_MISSING') {
      return failed(message, 'set SECRETS_KEY as it was when they were stored; old keys stay behind the new one')
    }
    if (code === 'RCV_SECRET_UNREADABLE') {
      return failed(
        message,
        `restore the right SECRETS_KEY, or enter the secrets anew (PATCH /admin/connections/${name})`,
      )
    }
    return failed(message, `correct settings (PATCH /admin/connections/${name}), or deploy the release that wrote them`)
  }
}

async function judgeCodes(
  { connection, db }: Subject,
  talk: RetenTalk | undefined,
  signal: AbortSignal,
): Promise<Verdict> {
  if (talk === undefined) return unchecked('there is no key for Reten')
  const types = await talk.resultTypes(signal)
  if (types.kind !== 'ok') return unchecked("the tenant's result types cannot be read, see above")
  return judgeResultCodes({
    connection,
    settings: connection.settings,
    known: types.value.map((type) => type.code),
    told: db === undefined ? undefined : await countResultCodes(db, connection.name, DISPATCHES_LOOKED_AT),
  })
}
