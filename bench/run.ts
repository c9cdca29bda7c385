// npm run bench: committed acknowledgements a second of this service, beside the same app without a store and beside Fastify
// with two queue libraries, all on one PostgreSQL, in one run on one machine. Under three minutes as it stands;
// docs/performance.md says how to read it.
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, platform, release, totalmem } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ACTIVITY } from './activity.ts'
import { startDatabaseServer } from './database-server.ts'
import type { DatabaseServer } from './database-server.ts'
import { installPeers } from './install-peers.ts'
import { measure } from './measure.ts'
import type { Measurement } from './measure.ts'
import { linesOf, tableOf } from './report.ts'
import type { Rounds } from './report.ts'
import { spreadOf } from './statistics.ts'
import { TARGETS } from './targets.ts'
import type { Target, TargetName } from './targets.ts'

const CONNECTIONS = 64
const HELP = `npm run bench -- [options]
  --rounds N    rounds of every line (default 5)
  --seconds N   measured time of each (default 3)
  --warmup N    seconds before measuring; each process is new (default 2)
  --out FILE    where the JSON goes (default bench/results/latest.json)
`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    warmup: { type: 'string', default: '2' },
    out: { type: 'string', default: fileURLToPath(new URL('results/latest.json', import.meta.url)) },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) print(HELP)
else await run(positive('rounds'), positive('seconds') * 1_000, positive('warmup') * 1_000)

async function run(rounds: number, durationMs: number, warmupMs: number): Promise<void> {
  const peers = installPeers(print)
  const server = await startDatabaseServer()
  try {
    const context = describe(server, peers, { rounds, durationMs, warmupMs })
    print(JSON.stringify(context, null, 2))
    const load = { connections: CONNECTIONS, warmupMs, durationMs }
    const measured = await measureRounds(server, load, rounds)
    const steadyPerSecond = spreadOf(measured.service.map((round) => round.perSecond)).median / 2
    const steady = await measure(service(), server, {
      ...load,
      // A process that is new answers slowly at first, and what is late then would be late for long.
      warmupMs: warmupMs * 2,
      durationMs: durationMs * 3,
      ratePerSecond: steadyPerSecond,
    })
    const lines = linesOf({ rounds: measured, steady, steadyPerSecond })
    print(`\n${tableOf(lines)}`)
    const file = values.out
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(
      file,
      `${JSON.stringify({ ...context, lines, rounds: measured, steadyPerSecond, steady }, null, 2)}\n`,
    )
    print(`all figures: ${file}`)
  } finally {
    await server.stop()
  }
}

/** Every round measures every target, each round beginning with another, so that none always profits from its place. */
async function measureRounds(
  server: DatabaseServer,
  load: { readonly connections: number; readonly warmupMs: number; readonly durationMs: number },
  rounds: number,
): Promise<Rounds> {
  const measured: Record<TargetName, Measurement[]> = {
    service: [],
    'no store': [],
    'pg-boss': [],
    'graphile-worker': [],
  }
  for (let round = 0; round < rounds; round += 1) {
    const first = round % TARGETS.length
    for (const target of [...TARGETS.slice(first), ...TARGETS.slice(0, first)]) {
      const result = await measure(target, server, load)
      measured[target.name].push(result)
      const { perSecond, p50Ms, p99Ms } = result
      const figures = `${perSecond.toFixed(0).padStart(6)}/s  p50 ${p50Ms.toFixed(1)} ms  p99 ${p99Ms.toFixed(1)} ms`
      print(`round ${round + 1} of ${rounds}  ${target.title.padEnd(26)} ${figures}`)
    }
  }
  return measured
}

function describe(server: DatabaseServer, peers: Readonly<Record<string, string>>, form: object): object {
  return {
    date: new Date().toISOString(),
    machine: {
      processor: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memoryGb: Math.round(totalmem() / 1024 ** 3),
      system: `${platform()} ${release()}`,
      // What else the machine was busy with; well below the number of cores, or the figures say little.
      loadBefore: Number(loadavg()[0]?.toFixed(2)),
    },
    versions: { node: process.versions.node, postgres: server.version, ...peers },
    postgres: server.settings,
    form: { ...form, connections: CONNECTIONS, bodyBytes: Buffer.byteLength(ACTIVITY) },
    settings: Object.fromEntries(TARGETS.map((target) => [target.title, target.settings])),
  }
}

function service(): Target {
  const target = TARGETS.find(({ name }) => name === 'service')
  if (target === undefined) throw new Error('targets.ts has no service')
  return target
}

function positive(name: 'rounds' | 'seconds' | 'warmup'): number {
  const value = Number(values[name])
  if (!(value > 0)) throw new Error(`--${name} is "${values[name]}" and must be a number above 0`)
  return value
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
