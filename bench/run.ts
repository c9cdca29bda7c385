// npm run bench: committed acknowledgements a second, beside the same app without a store, in one run on one machine.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startEmbeddedPostgres } from '../src/embedded/start-embedded-postgres.ts'
import { createSilentLogger } from '../src/logger.ts'
import { openDatabase } from '../src/store/database.ts'
import { migrate } from '../src/store/migrate.ts'
import { pushActivities } from './load.ts'
import type { LoadResult } from './load.ts'

const ROUNDS = 5
const SECONDS = 4
const CONNECTIONS = 64
const KEY = 'bench-dispatch-key-0001'

const directory = mkdtempSync(join(tmpdir(), 'reten-bench-'))
const server = await startEmbeddedPostgres({ directory })
try {
  const handle = openDatabase({ url: server.url, poolSize: 1, logger: createSilentLogger() })
  await migrate(handle.db)
  await handle.close()
  const rates: Record<'service' | 'no store', LoadResult[]> = { service: [], 'no store': [] }
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const target of ['no store', 'service'] as const) {
      const result = await measure(target)
      if (round > 0) rates[target].push(result) // the first round warms the machine
      const { perSecond, p50Ms, p99Ms, non2xx } = result
      const label = round === 0 ? 'warm-up' : `round ${round}`
      process.stdout.write(
        `${label} ${target.padEnd(8)} ${perSecond.toFixed(0)}/s  p50 ${p50Ms} ms  p99 ${p99Ms} ms  refused ${non2xx}\n`,
      )
    }
  }
  const ratios = rates.service.map((result, index) => result.perSecond / (rates['no store'][index]?.perSecond ?? NaN))
  process.stdout.write(
    `\ncommitted acknowledgements: median ${median(rates.service.map((result) => result.perSecond)).toFixed(0)}/s, ` +
      `no store: ${median(rates['no store'].map((result) => result.perSecond)).toFixed(0)}/s, ` +
      `ratio: median ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})\n`,
  )
} finally {
  await server.stop()
  rmSync(directory, { recursive: true, force: true })
}

async function measure(target: 'service' | 'no store'): Promise<LoadResult> {
  const port = 18_080
  const file = target === 'service' ? '../src/commands/serve.ts' : './no-store.ts'
  const child = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url))], {
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: server.url,
      ROLE: 'http',
      HOST: '127.0.0.1',
      PORT: String(port),
      OPS_PORT: '0',
      LOG_LEVEL: 'info',
      RATE_LIMIT_PER_MINUTE: '0',
      DISPATCH_API_KEY: KEY,
      PROVIDER: 'mock',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const url = `http://127.0.0.1:${port}`
  try {
    await untilReady(url)
    return await pushActivities(url, KEY, CONNECTIONS, SECONDS)
  } finally {
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await gone
  }
}

async function untilReady(url: string): Promise<void> {
  const deadline = Date.now() + 20_000
  while (Date.now() < deadline) {
    if (
      await fetch(`${url}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      )
    )
      return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${url} did not become ready`)
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? (sorted[middle] ?? NaN) : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2
}
