// connections add: the connection, the key Reten calls us with, and what has to be entered where.
import { Command } from 'commander'
import { showConnectionRow } from '../ops/connection-view.ts'
import { addConnection, getConnection } from '../ops/connections.ts'
import { makeKey } from '../ops/keys.ts'
import { pickRetenUrl, readNamedSecret, readPublicUrl, readSecret, readSetting } from './connection-options.ts'
import { printJson, printLine, printTable, toConnectionDeps } from './operator-context.ts'
import type { OperatorContext, WithinContext } from './operator-context.ts'

interface AddOptions {
  readonly provider: string
  readonly retenEnvironment?: string
  readonly retenBaseUrl?: string
  readonly retenApiKey?: string
  readonly setting?: Record<string, unknown>
  readonly providerSetting?: Record<string, unknown>
  readonly providerSecret?: Record<string, string>
  readonly publicUrl?: string
  readonly webhookToken?: boolean
  readonly json?: boolean
}

/** Builds `add`. */
export function buildAddCommand(within: WithinContext): Command {
  return new Command('add')
    .description('Adds a connection, or brings a removed one back, and makes the key Reten calls us with.')
    .argument('<name>', 'a-z, 0-9, "_", "-"; it never changes')
    .option('--provider <provider>', 'yom, webhook, mock, or the path of an adapter module', 'yom')
    .option('--reten-environment <environment>', 'production, staging, development or local')
    .option('--reten-base-url <url>', "Reten's origin without /api, instead of --reten-environment")
    .option('--reten-api-key <key>', 'rtn_sk_…, or @file', readSecret)
    .option('--setting <name=value>', 'a setting of the connection, e.g. max_in_flight=8; may be repeated', readSetting)
    .option('--provider-setting <name=value>', "a setting of the adapter's, e.g. base_url=https://…", readSetting)
    .option('--provider-secret <name=value>', "a secret of the adapter's, or name=@file", readNamedSecret)
    .option('--public-url <url>', 'where Reten reaches this service, without /activities', readPublicUrl)
    .option('--webhook-token', 'also make the token the provider reports results with')
    .option('--json', 'print JSON')
    .action((name: string, options: AddOptions) => within((context) => add(context, name, options)))
}

async function add(context: OperatorContext, name: string, options: AddOptions): Promise<void> {
  const deps = toConnectionDeps(context)
  const { provider, retenApiKey, setting: settings, providerSetting, providerSecret, publicUrl } = options
  const retenBaseUrl = pickRetenUrl(options)
  const secrets = { retenApiKey, providerSecrets: providerSecret }
  const input = { name, provider, retenBaseUrl, settings, providerSettings: providerSetting, ...secrets }
  const done = await addConnection(deps, input, context.author)
  const made = await makeKey(deps, name, { purpose: 'dispatch' }, context.author)
  const webhook =
    options.webhookToken === true ? await makeKey(deps, name, { purpose: 'webhook' }, context.author) : undefined
  const shown = showConnectionRow(await getConnection(context.db, name), context.config)
  if (options.json === true) {
    printJson({ ...shown, baseUrl: publicUrl ?? null, key: made.secret, webhookToken: webhook?.secret ?? null })
    return
  }
  printLine(`${name} is ${done}. These are shown once; only their digests are kept.\n`)
  printTable(
    ['Enter', 'Value'],
    [
      ['at Reten: base URL', publicUrl ?? 'the public address of this service, without /activities (--public-url)'],
      ['at Reten: API key', made.secret],
      ...(webhook === undefined ? [] : [[`at ${provider}: webhook address`, webhookUrl(publicUrl, provider)]]),
      ...(webhook === undefined ? [] : [[`at ${provider}: webhook token`, webhook.secret]]),
    ],
  )
}

function webhookUrl(publicUrl: string | undefined, provider: string): string {
  return `${publicUrl ?? '…'}/webhooks/${encodeURIComponent(provider)}`
}
