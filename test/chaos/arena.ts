// What every scenario plays in: a PostgreSQL of its own, both stand-ins, a balancer, and instances of the service under load.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSilentLogger } from '../../src/logger.ts'
import type { FaultOptions } from '../../src/sandbox/faults.ts'
import type { YomSandboxOptions } from '../../src/sandbox/start-yom-sandbox.ts'
import type { RetenSandboxOptions } from '../../src/sandbox/start-reten-sandbox.ts'
import { openDatabase } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import { openBreakableWay } from '../support/breakable-way.ts'
import type { BreakableWay } from '../support/breakable-way.ts'
import type { Scope } from '../support/scope.ts'
import { openStage } from '../support/stage.ts'
import type { Stage } from '../support/stage.ts'
import { openBalancer } from './balancer.ts'
import type { Balancer } from './balancer.ts'
import { startDatabase } from './database.ts'
import type { ChaosDatabase } from './database.ts'
import { CHECKOUT } from './releases.ts'
import { startInstance } from './service.ts'
import type { Instance } from './service.ts'

export interface ArenaOptions {
  readonly seed: number
  /** PostgreSQL's own settings. */
  readonly postgres?: Readonly<Record<string, string>> | undefined
  /** Settings of every instance. */
  readonly settings?: Readonly<Record<string, string>> | undefined
  /** What the stand-ins do to each request; default nothing. */
  readonly faults?: Omit<FaultOptions, 'seed'> | undefined
  /** Of Reten for one activity; default 3, as documented. */
  readonly dispatchAttempts?: number | undefined
  /** Calls to YOM, and reports to Reten, at once over all instances; default 32. */
  readonly maxInFlight?: number | undefined
}

export interface Arena extends Pick<Stage, 'reten' | 'yom'> {
  readonly scope: Scope
  readonly database: ChaosDatabase
  readonly balancer: Balancer
  /** Ways to those that an instance calls; a scenario that breaks one has `settings` name it. */
  openWay(to: 'database' | 'reten' | 'yom'): Promise<BreakableWay>
  /** Starts an instance that receives its share of the load, unless its role is to work. */
  start(name: string, options?: StartOptions): Promise<Instance>
  /** Instances are kept for their logs. */
  readonly directory: string
}

export interface StartOptions {
  readonly settings?: Readonly<Record<string, string>>
  /** The folder of its release; default this checkout. */
  readonly release?: string
}

// As many tries as by default, within minutes: no outage here is as long as the built-in table's.
const RETRY_DELAYS_SECONDS = [0.5, 1, 1, 2, 2, 3, 3, ...Array.from({ length: 25 }, () => 5)]

/** Opens everything but the instances; all of it ends with `scope`. */
export async function openArena(scope: Scope, options: ArenaOptions): Promise<Arena> {
  const { seed, dispatchAttempts = 3, maxInFlight = 32 } = options
  const directory = mkdtempSync(join(tmpdir(), 'receiver-chaos-logs-'))
  scope.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const database = await startDatabase(scope, options.postgres)
  await migrateDatabase(database.url)
  const faults: FaultOptions = { ...options.faults, seed }
  const reten: Partial<RetenSandboxOptions> = { seed, faults, switches: { payloadShape: 'mixed', dispatchAttempts } }
  const yom: Partial<YomSandboxOptions> = {
    seed,
    faults,
    switches: { workMinMs: 0, workMaxMs: 200, webhookRetryMs: 250, webhookAttempts: 14, lateByMs: 5_000 },
  }
  const stage = await openStage(scope, {
    databaseUrl: database.url,
    reten,
    yom,
    connection: { max_in_flight: maxInFlight, retry_delays: RETRY_DELAYS_SECONDS },
  })
  const balancer = await openBalancer(scope)
  stage.connect(balancer.url)
  const urls = { database: database.url, reten: stage.reten.url, yom: stage.yom.url }
  return {
    reten: stage.reten,
    yom: stage.yom,
    scope,
    database,
    balancer,
    directory,
    openWay: (to) => openBreakableWay(scope, urls[to]),
    start: async (name, { settings, release = CHECKOUT } = {}) => {
      const told: Readonly<Record<string, string>> = {
        ...stage.settings,
        LOG_LEVEL: 'info',
        ...options.settings,
        ...settings,
      }
      const instance = await startInstance(scope, { name, release, directory, settings: told })
      if (told['ROLE'] !== 'worker') balancer.add(instance.publicUrl)
      return instance
    },
  }
}

async function migrateDatabase(url: string): Promise<void> {
  const handle = openDatabase({ url, poolSize: 1, logger: createSilentLogger() })
  try {
    await migrate(handle.db)
  } finally {
    await handle.close()
  }
}
