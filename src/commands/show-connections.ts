// connections list and show.
import { Command, Option } from 'commander'
import type { ConnectionState } from '../connection.ts'
import { showConnectionRow, showKey } from '../ops/connection-view.ts'
import { getConnection } from '../ops/connections.ts'
import { findKeys } from '../ops/keys.ts'
import { countJobs, listConnections } from '../store/show-connection.ts'
import { printJson, printTable } from './operator-context.ts'
import type { OperatorContext, WithinContext } from './operator-context.ts'

type JsonOption = { readonly json?: boolean }

/** Builds `list`. */
export function buildListCommand(within: WithinContext): Command {
  return new Command('list')
    .description('Lists connections, without the removed ones unless asked for.')
    .addOption(new Option('--state <state>', 'only these').choices(['active', 'paused', 'archived']))
    .option('--json', 'print JSON')
    .action((options: JsonOption & { state?: ConnectionState }) =>
      within(async ({ db, config }) => {
        const rows = (await listConnections(db, { state: options.state })).map((row) => showConnectionRow(row, config))
        if (options.json === true) return printJson(rows)
        printTable(
          ['Name', 'Provider', 'Origin', 'State', 'Reason', 'Reten', 'Since'],
          rows.map((row) => [
            row.name,
            row.provider,
            row.origin,
            row.reporting.state === 'paused' ? `${row.state}, reporting paused` : row.state,
            row.stateReason ?? row.reporting.reason,
            row.retenBaseUrl,
            row.stateChangedAt,
          ]),
        )
      }),
    )
}

/** Builds `show`. */
export function buildShowCommand(within: WithinContext): Command {
  return new Command('show')
    .description('Shows one connection, its settings, the names of its secrets, and its keys.')
    .argument('<name>')
    .option('--json', 'print JSON')
    .action((name: string, options: JsonOption) => within((context) => show(context, name, options)))
}

async function show(context: OperatorContext, name: string, options: JsonOption): Promise<void> {
  const row = showConnectionRow(await getConnection(context.db, name), context.config)
  const keys = (await findKeys(context, name)).map(showKey)
  const waitingJobs = await countJobs(context.db, name)
  if (options.json === true) return printJson({ ...row, waitingJobs, keys })
  const { secrets, reporting, ...plain } = row
  const lines = {
    ...plain,
    reporting: reporting.reason === null ? reporting.state : `${reporting.state}: ${reporting.reason}`,
    retenApiKey: secrets.hasRetenApiKey ? 'stored' : null,
    providerSecrets: secrets.provider,
  }
  printTable(['', name], Object.entries({ ...lines, secretsFault: secrets.fault, waitingJobs }))
  printTable(
    ['Key', 'Purpose', 'Label', 'Usable', 'Until', 'Last used'],
    keys.map((key) => [
      key.id,
      key.purpose,
      key.label,
      key.isUsable ? 'yes' : 'no',
      key.revokedAt ?? key.notAfter,
      key.lastUsedAt,
    ]),
  )
}
