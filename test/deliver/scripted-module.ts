// An adapter as a module of its own, the way a connection names one: what it does is said by the test, under a name in its settings.
import { fileURLToPath } from 'node:url'
import type { Adapter, AdapterInput } from '../../src/deliver/adapters/adapter.ts'

/** What a connection's `provider` says to get this adapter. */
export const SCRIPTED_PROVIDER = fileURLToPath(import.meta.url)

/** Adapters by the setting `script`. */
export const scripts = new Map<unknown, (input: AdapterInput) => Adapter | Promise<Adapter>>()

export function createAdapter(input: AdapterInput): Adapter | Promise<Adapter> {
  const create = scripts.get(input.settings['script'])
  if (create === undefined) throw new Error(`there is no script ${String(input.settings['script'])}`)
  return create(input)
}
