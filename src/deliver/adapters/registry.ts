// Which adapter a connection's provider means: one of ours by its name, or a module by its path, URL or package name.
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { AppError } from '../../errors.ts'
import type { Adapter, AdapterInput, CreateAdapter } from './adapter.ts'
import { createMockAdapter } from './mock.ts'
import { createWebhookAdapter } from './webhook.ts'
import { createYomAdapter } from './yom.ts'

/** `/…`, `./…`, `../…`, `C:\\…`. */
const PATH_START = /^\.{0,2}[/\\]|^[A-Za-z]:[/\\]/

/** The adapters that come with this service, by name. */
export const ADAPTERS: Readonly<Record<string, CreateAdapter>> = Object.freeze({
  yom: createYomAdapter,
  webhook: createWebhookAdapter,
  mock: createMockAdapter,
})

/**
 * Builds the adapter of one connection. `provider` is a name of `ADAPTERS`, or names a module that exports
 * `createAdapter`: a path (relative ones from the working directory), a `file:` URL or a package. A module runs with all
 * rights of this process. Throws RCV_ADAPTER_UNKNOWN where there is no such adapter, RCV_ADAPTER_SETTINGS where it refuses
 * its settings.
 */
export async function createAdapter(provider: string, input: AdapterInput): Promise<Adapter> {
  if (Object.hasOwn(ADAPTERS, provider)) {
    const create = ADAPTERS[provider]
    if (create !== undefined) return create(input)
  }
  const create = readCreate(await load(provider), provider)
  let adapter: unknown
  try {
    adapter = await create(input)
  } catch (error) {
    if (error instanceof AppError) throw error
    const message = `adapter ${provider} of connection ${input.connection}: ${describe(error)}`
    throw new AppError('RCV_ADAPTER_SETTINGS', message, { cause: error })
  }
  if (!isAdapter(adapter)) throw unknown(provider, 'its createAdapter did not answer an adapter')
  return adapter
}

async function load(provider: string): Promise<object> {
  const specifier = toSpecifier(provider)
  try {
    const module: unknown = await import(specifier)
    return typeof module === 'object' && module !== null ? module : {}
  } catch (error) {
    throw unknown(provider, describe(error), error)
  }
}

function toSpecifier(provider: string): string {
  if (PATH_START.test(provider) || existsSync(provider)) return pathToFileURL(resolve(provider)).href
  const url = URL.parse(provider)
  // A data: URL would be code that came with a setting; nothing is loaded that is not already installed.
  if (url !== null && url.protocol !== 'file:') throw unknown(provider, `${url.protocol} URLs are not loaded`)
  return provider
}

function readCreate(module: object, provider: string): (input: AdapterInput) => unknown {
  if ('createAdapter' in module && typeof module.createAdapter === 'function') {
    const { createAdapter: create } = module
    return (input) => create.call(undefined, input)
  }
  throw unknown(provider, 'the module does not export createAdapter')
}

function isAdapter(value: unknown): value is Adapter {
  if (typeof value !== 'object' || value === null) return false
  const adapter: { readonly [K in keyof Adapter]?: unknown } = value
  const { capabilities } = adapter
  return (
    typeof adapter.provider === 'string' &&
    typeof adapter.deliver === 'function' &&
    typeof adapter.close === 'function' &&
    typeof capabilities === 'object' &&
    capabilities !== null &&
    'idempotency' in capabilities &&
    'completion' in capabilities &&
    (capabilities.idempotency !== 'lookup' || typeof adapter.lookup === 'function')
  )
}

function unknown(provider: string, reason: string, cause?: unknown): AppError {
  const names = Object.keys(ADAPTERS).join(', ')
  const message = `there is no adapter ${provider}: ${reason}; built in are ${names}, anything else names a module`
  return new AppError('RCV_ADAPTER_UNKNOWN', message, { cause })
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
