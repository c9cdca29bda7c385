// Readiness speaks for the ability to accept (http) or to claim (worker), and for nothing else.
import type { Role } from '../config.ts'
import type { HealthCheck } from '../ops/health.ts'
import type { Inbox } from '../receive/inbox.ts'
import type { Service } from '../services.ts'
import type { Db } from '../store/database.ts'
import { pingDatabase } from '../store/ping-database.ts'

export interface ReadinessDeps {
  readonly role: Role
  /** On connections of its own: a pool that is busy with useful work says nothing about readiness. */
  readonly db: Db
  readonly inbox: Pick<Inbox, 'fault'>
  readonly loops: readonly Pick<Service, 'name' | 'fault'>[]
}

/** The checks of a role. Whoever asks while the database is being asked shares its answer. */
export function readinessChecks({ role, db, inbox, loops }: ReadinessDeps): readonly HealthCheck[] {
  const database: HealthCheck = { name: 'database', check: sharing(() => pingDatabase(db)) }
  if (role !== 'worker') return [database, { name: 'inbox', check: () => inbox.fault() }]
  return [database, ...loops.filter((loop) => loop.name === 'deliver').map(toCheck)]
}

function sharing<T>(ask: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | undefined
  return () => {
    underWay ??= ask().finally(() => {
      underWay = undefined
    })
    return underWay
  }
}

function toCheck(service: Pick<Service, 'name' | 'fault'>): HealthCheck {
  return { name: service.name, check: () => (service.fault() === undefined ? undefined : 'cannot claim') }
}
