// The provider's side of one connection: its adapter, whether it is reached and lets us in, and how results come back.
import type { Connection } from '../connection.ts'
import type { AppError } from '../errors.ts'
import { failed, ok, unchecked } from './finding.ts'
import type { Verdict } from './finding.ts'
import { judgeKeys } from './key-checks.ts'
import type { Check } from './run-checks.ts'
import type { AdapterView, Subject } from './subject.ts'

/** The adapter, or why there is none. */
export type AdapterReading = { readonly adapter: AdapterView } | { readonly fault: AppError }

/** What the adapter is told of by the environment, by provider. */
const ENVIRONMENT_NAMES: Readonly<Record<string, string>> = Object.freeze({
  yom: 'YOM_BASE_URL, YOM_TASK_PATH, and YOM_API_KEY or YOM_CLIENT_ID with YOM_CLIENT_SECRET',
  webhook: 'WEBHOOK_URL and WEBHOOK_AUTH_TOKEN',
})

/** Builds the checks; they may run side by side. */
export function buildProviderChecks(subject: Subject, openAdapter: () => Promise<AdapterReading>): readonly Check[] {
  const { connection } = subject
  return [
    {
      name: 'provider',
      connection: connection.name,
      run: async (signal) => judgeProvider(connection, await openAdapter(), signal),
    },
    {
      name: 'webhook token',
      connection: connection.name,
      run: async () => {
        const reading = await openAdapter()
        if ('fault' in reading) return unchecked('there is no adapter to say how results come, see above')
        const { completion } = reading.adapter.capabilities
        if (completion === 'webhook') return judgeKeys(subject, 'webhook')
        return ok(completion === 'reply' ? 'not needed: results come in the reply' : 'not needed: no results come')
      },
    },
  ]
}

async function judgeProvider(connection: Connection, reading: AdapterReading, signal: AbortSignal): Promise<Verdict> {
  const { provider } = connection
  if ('fault' in reading) return failed(reading.fault.message, `correct ${settingsOf(connection)}`)
  const { adapter } = reading
  if (adapter.probe === undefined) {
    return unchecked(`the adapter ${provider} knows no harmless call; the first delivery will show`)
  }
  const answer = await adapter.probe(signal)
  const { probeAssumption } = adapter
  switch (answer.kind) {
    case 'good':
      return ok(`${provider} is reached and lets our credentials in`, probeAssumption)
    case 'refused':
      return failed(`${provider} refuses our credentials: ${answer.message}`, `correct ${settingsOf(connection)}`)
    case 'unknown':
      return failed(
        `${provider} does not serve us: ${answer.message}`,
        `correct the address in ${settingsOf(connection)}, or check again when ${provider} is well`,
      )
  }
}

function settingsOf({ name, origin, provider }: Connection): string {
  if (origin === 'environment') return ENVIRONMENT_NAMES[provider] ?? 'PROVIDER and the settings of its module'
  return `providerSettings and providerSecrets (PATCH /admin/connections/${name})`
}
