// Reten's side of one connection: the key and what it may do, the clock, where Reten pushes to.
import type { Connection } from '../connection.ts'
import { MINUTE_MS, SECOND_MS } from '../time.ts'
import { judgeDispatchConfigs } from './dispatch-configs.ts'
import { failed, ok, unchecked, warning } from './finding.ts'
import type { Verdict } from './finding.ts'
import { nameSetting } from './name-setting.ts'
import { wordsOf } from './reten-talk.ts'
import type { RetenTalk } from './reten-talk.ts'
import type { Check } from './run-checks.ts'

export interface RetenChecksInput {
  readonly connection: Connection
  /** Undefined where the connection cannot talk to Reten. */
  readonly talk: RetenTalk | undefined
  /** Where Reten is to reach this service, without /activities; undefined where nobody said. */
  readonly publicUrl: string | undefined
}

// A minute apart, results carry times that Reten's guards hold against it; seconds are what unwatched clocks do.
const SKEW_WARNING_MS = 5 * SECOND_MS
const SKEW_FAILURE_MS = MINUTE_MS

const NO_KEY = 'there is no key for Reten'
const NEW_KEY =
  "create one in Reten's panel (Settings > API Keys) with VIEW_ACTIVITIES and SUBMIT_ACTIVITY_RESULT and enter it as"

/** Builds the checks; they may run side by side. */
export function buildRetenChecks(input: RetenChecksInput): readonly Check[] {
  const { connection, talk, publicUrl } = input
  const names = settingNames(connection)
  const withTalk =
    (judge: (known: RetenTalk, signal: AbortSignal) => Promise<Verdict>): Check['run'] =>
    async (signal) =>
      talk === undefined ? unchecked(NO_KEY) : judge(talk, signal)
  const checks: readonly Check[] = [
    {
      name: 'Reten key',
      run: async (signal) =>
        talk === undefined
          ? failed(`${NO_KEY}, so no result can be reported`, `${NEW_KEY} ${names.key}, with ${names.address}`)
          : judgeKey(await talk.resultTypes(signal), talk, names),
    },
    { name: 'Reten permission to report', run: withTalk((known, signal) => judgeReporting(known, names, signal)) },
    { name: 'clock', run: withTalk(judgeClock) },
    {
      name: 'Reten dispatch configuration',
      run: withTalk(async (known, signal) =>
        judgeDispatchConfigs(await known.inspector.listDispatchConfigs(signal), publicUrl),
      ),
    },
  ]
  return checks.map((check) => ({ ...check, connection: connection.name }))
}

interface SettingNames {
  readonly key: string
  readonly address: string
}

function settingNames(connection: Connection): SettingNames {
  return {
    key: nameSetting(connection, { environment: 'RETEN_API_KEY', managed: 'retenApiKey' }),
    address: nameSetting(connection, { environment: 'RETEN_ENVIRONMENT or RETEN_BASE_URL', managed: 'retenBaseUrl' }),
  }
}

/** Source: Reten's documentation names this call as the way to try a key: 200, 401, 403. */
function judgeKey(
  answer: Awaited<ReturnType<RetenTalk['resultTypes']>>,
  talk: RetenTalk,
  { key, address }: SettingNames,
): Verdict {
  if (answer.kind === 'ok')
    return ok(`${talk.baseUrl} knows it and lists ${answer.value.length} result types of its tenant`)
  const said = `${talk.baseUrl}: ${wordsOf(answer)}`
  if (answer.status === 401) {
    const unusual = talk.isUsualKey ? '' : ', which does not begin with rtn_sk_ as keys of Reten do'
    return failed(
      `${said}: the key is unknown there, revoked, expired, or of another environment${unusual}`,
      `correct ${key}, or ${NEW_KEY} it; the environment is chosen by ${address}`,
    )
  }
  if (answer.status === 403) {
    return failed(`${said}: Reten knows the key, which lacks VIEW_ACTIVITIES`, `${NEW_KEY} ${key}`)
  }
  if (answer.kind === 'unavailable' && answer.code.startsWith('http_')) {
    return failed(said, 'check again later: Reten answers and cannot serve the call now')
  }
  return failed(said, `correct ${address}: Reten's origin without /api; or let this machine reach it`)
}

/**
 * By a submission without any content: refused by validation where the key may submit, so nothing is registered. Source of
 * the order of the two refusals: none.
 */
async function judgeReporting(talk: RetenTalk, { key }: SettingNames, signal: AbortSignal): Promise<Verdict> {
  const known = await talk.resultTypes(signal)
  if (known.status === 401) return unchecked('Reten does not know the key, see above')
  if (known.kind === 'unavailable') return unchecked('Reten cannot be reached, see above')
  const answer = await talk.inspector.submitNothing(signal)
  const assumption =
    'Reten refuses a key without SUBMIT_ACTIVITY_RESULT (403) before it looks at what is submitted (400)'
  if (answer.status === 400 && answer.kind === 'refused') {
    return ok('an empty result is refused for its content (400), not for the key; nothing was registered', assumption)
  }
  if (answer.status === 403) {
    const found = `${wordsOf(answer)}: the key lacks SUBMIT_ACTIVITY_RESULT, so no result can be reported`
    return failed(found, `${NEW_KEY} ${key}`, assumption)
  }
  return unchecked(`to an empty result ${wordsOf(answer)}, which tells nothing; the first report will`)
}

async function judgeClock(talk: RetenTalk, signal: AbortSignal): Promise<Verdict> {
  await talk.resultTypes(signal)
  const reading = talk.clockReading()
  if (reading === undefined) return unchecked('Reten gave no answer with a Date header')
  const skewMs = reading.ownMs - reading.retenMs
  const surelyMs = Math.max(0, Math.abs(skewMs) - reading.uncertaintyMs)
  if (surelyMs < SKEW_WARNING_MS) return ok("agrees with Reten's to within seconds")
  const found = `this machine's clock is ${Math.round(Math.abs(skewMs) / SECOND_MS)} s ${skewMs > 0 ? 'ahead of' : 'behind'} Reten's`
  const advice = "have this machine's clock set by NTP (timedatectl set-ntp true, chrony, or the host's own)"
  return surelyMs < SKEW_FAILURE_MS ? warning(found, advice) : failed(found, advice)
}
