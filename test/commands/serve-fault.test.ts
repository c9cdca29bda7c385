// A fault that nobody caught: the process cannot be trusted any more, and must not just vanish either.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { request } from 'undici'
import { createSilentLogger } from '../../src/logger.ts'
import { openDatabase } from '../../src/store/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { startServiceProcess } from '../support/service-process.ts'

const KEY = 'dispatch-key-of-this-test'

/** An adapter with a fault that no caller of it can catch. */
const ADAPTER = (fault: string): string => `
  export function createAdapter() {
    return {
      provider: 'faulty',
      capabilities: { idempotency: 'key', completion: 'none' },
      deliver: async () => {
        ${fault}
        return { kind: 'retry', code: 'later', message: 'not now' }
      },
      close: async () => {},
    }
  }
`

t.setTimeout(60_000)
t.jobs = 2

for (const [what, fault] of Object.entries({
  'an exception': "setTimeout(() => { throw new Error('nobody catches this') })",
  'a rejection': "void Promise.reject(new Error('nobody catches this'))",
})) {
  t.test(`${what} that nobody caught ends the service in order: logged, nothing held on to, exit code 1`, async (t) => {
    const { url } = await createTestDatabase(t)
    const handle = openDatabase({ url, poolSize: 1, logger: createSilentLogger() })
    t.teardown(() => handle.close())
    const adapter = join(t.testdir({}), 'faulty.mjs')
    await writeFile(adapter, ADAPTER(fault))
    const service = await startServiceProcess(t, { DATABASE_URL: url, DISPATCH_API_KEY: KEY, PROVIDER: adapter })

    const { statusCode } = await request(`${service.publicUrl}/activities`, {
      method: 'POST',
      headers: { 'x-api-key': KEY, 'content-type': 'application/json' },
      body: JSON.stringify({ id: 'A-1', commerce: { externalId: 'C-1' } }),
    })

    t.equal(statusCode, 201)
    t.strictSame(await service.ended, { code: 1, signal: null })
    t.match(await service.logged('service.crashed'), { err: { message: 'nobody catches this' } })
    t.match(await service.logged('service.stopped'), { exitCode: 1 })
    t.match(await handle.db.selectFrom('jobs').selectAll().execute(), [{ leased_until: null, crashes: 0 }])
  })
}
