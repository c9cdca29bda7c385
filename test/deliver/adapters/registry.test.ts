import t from 'tap'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ADAPTERS, createAdapter } from '../../../src/deliver/adapters/registry.ts'
import { buildCommand, buildInput, patience } from './adapter-fixture.ts'

const OWN_ADAPTER = `
  export function createAdapter(input) {
    if (input.settings.city === undefined) throw new Error('city is required')
    return {
      provider: 'own',
      capabilities: { idempotency: 'none', completion: 'none' },
      deliver: async (command) => ({ kind: 'accepted', providerTaskId: input.settings.city + command.dispatchId }),
      close: async () => {},
    }
  }`

t.test('createAdapter', async (t) => {
  t.test('builds the adapters that come with the service, by name', async (t) => {
    const inputs = {
      yom: buildInput(t, { settings: { base_url: 'https://yom.example' }, secrets: { api_key: 'key' } }),
      webhook: buildInput(t, { settings: { url: 'https://hooks.example' } }),
      mock: buildInput(t),
    }
    t.same(Object.keys(ADAPTERS), Object.keys(inputs))

    for (const [name, input] of Object.entries(inputs)) t.equal((await createAdapter(name, input)).provider, name)
  })

  t.test('builds the adapter of a module, by path, relative path or file URL', async (t) => {
    const folder = t.testdir({ 'own.mjs': OWN_ADAPTER })
    const path = join(folder, 'own.mjs')
    const bare = relative(process.cwd(), path)

    for (const provider of [path, `./${bare}`, bare, pathToFileURL(path).href]) {
      const adapter = await createAdapter(provider, buildInput(t, { settings: { city: 'Lima-' } }))
      t.match(
        await adapter.deliver(buildCommand({ dispatchId: 'd-1' }), patience()),
        { providerTaskId: 'Lima-d-1' },
        provider,
      )
    }
  })

  t.test("passes on what a module's adapter says against its settings", async (t) => {
    const path = join(t.testdir({ 'own.mjs': OWN_ADAPTER }), 'own.mjs')

    await t.rejects(createAdapter(path, buildInput(t)), {
      code: 'RCV_ADAPTER_SETTINGS',
      message: `adapter ${path} of connection acme: city is required`,
    })
  })

  t.test('passes on an error of the catalogue as it is', async (t) => {
    await t.rejects(createAdapter('webhook', buildInput(t)), {
      code: 'RCV_ADAPTER_SETTINGS',
      details: [{ path: 'url' }],
    })
  })

  t.test('says what is wrong with a provider that it cannot build', async (t) => {
    const folder = t.testdir({
      'no-export.mjs': 'export const other = 1',
      'no-code.mjs': 'this is not JavaScript',
      'no-adapter.mjs': 'export const createAdapter = () => ({ provider: 1 })',
      'no-lookup.mjs': `export const createAdapter = () => ({
        provider: 'x', capabilities: { idempotency: 'lookup', completion: 'none' }, deliver() {}, close() {} })`,
    })
    const refusals: readonly (readonly [provider: string, reason: RegExp])[] = [
      ['salesman', /there is no adapter salesman: .+; built in are yom, webhook, mock/],
      ['./nowhere.ts', /nowhere\.ts/],
      ['constructor', /there is no adapter constructor/],
      ['data:text/javascript,export const createAdapter = 1', /data: URLs are not loaded/],
      ['https://example.com/adapter.js', /https: URLs are not loaded/],
      ['node:fs', /node: URLs are not loaded/],
      ['', /there is no adapter/],
      [join(folder, 'no-export.mjs'), /does not export createAdapter/],
      [join(folder, 'no-code.mjs'), /Unexpected identifier/],
      [join(folder, 'no-adapter.mjs'), /did not answer an adapter/],
      [join(folder, 'no-lookup.mjs'), /did not answer an adapter/],
    ]
    for (const [provider, reason] of refusals) {
      await t.rejects(
        createAdapter(provider, buildInput(t)),
        { code: 'RCV_ADAPTER_UNKNOWN', message: reason },
        provider,
      )
    }
  })
})
