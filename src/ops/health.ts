// Three questions, three answers, the same on both listeners.
//
//  /livez   does the process turn its event loop?     200, always; knows no dependency, so that no outage restarts us
//  /readyz  may new work be sent here?                200 or 503; draining fails it before the listener closes
//  /health  is everything well? (people, monitors)    200 `ok`; 503 `degraded` (ready, but a part is at fault) or `not_ready`
import type { FastifyInstance, FastifyReply } from 'fastify'
import { AppError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { Service } from '../services.ts'
import type { Clock } from '../time.ts'

/** One condition of readiness. `check` answers undefined while it holds, else one sentence that anybody may read. */
export interface HealthCheck {
  readonly name: string
  check(): string | undefined | Promise<string | undefined>
}

export interface HealthDeps {
  readonly version: string
  readonly clock: Clock
  /** When the process began, in milliseconds since 1970. */
  readonly startedAtMs: number
  readonly checks: readonly HealthCheck[]
  /** Whose faults `/health` tells of; they never make an instance unready. */
  readonly services: readonly Pick<Service, 'name' | 'fault'>[]
  /** Connections that deliver nothing until somebody resumes them. */
  pausedConnections(): readonly { readonly name: string; readonly reason: string | undefined }[]
  isDraining(): boolean
  readonly logger: Logger
}

/** The outcome of one check, or of one service's own word. */
export interface CheckResult {
  readonly name: string
  readonly ok: boolean
  readonly message?: string
}

// A load balancer gives up after a few seconds; an answer that comes later is no answer.
const CHECK_TIMEOUT_MS = 2_000

export interface HealthOptions {
  /**
   * Whether `/health` shows a service's own words for its fault, and which connections are paused; default false. They may
   * name hosts and accounts, which is for the operators' listener and not for the world. A pause is somebody's will and
   * changes no status, but it must not be forgotten.
   */
  readonly showsFaults?: boolean
}

/** Registers `/livez`, `/readyz` and `/health`, without authentication. */
export function registerHealthRoutes(app: FastifyInstance, deps: HealthDeps, options: HealthOptions = {}): void {
  app.get('/livez', async (_request, reply) => answer(reply, 200, { status: 'alive' }))

  app.get<{ Querystring: Record<string, unknown> }>('/readyz', async (request, reply) => {
    const checks = await runChecks(deps)
    const isReady = checks.every((check) => check.ok)
    const isVerbose = request.query['verbose'] !== undefined
    const body = { status: isReady ? 'ready' : 'not_ready', ...(isVerbose ? { checks } : {}) }
    return answer(reply, isReady ? 200 : 503, body)
  })

  app.get('/health', async (_request, reply) => {
    const checks = await runChecks(deps)
    const services = deps.services.map((service) => askService(service, options.showsFaults ?? false))
    const status = summarize(checks, services)
    const uptimeSeconds = Math.floor((deps.clock.now() - deps.startedAtMs) / 1_000)
    const paused = options.showsFaults === true ? { pausedConnections: deps.pausedConnections() } : {}
    const body = { status, version: deps.version, uptimeSeconds, checks, services, ...paused }
    return answer(reply, status === 'ok' ? 200 : 503, body)
  })
}

/** Runs every check at once, each within 2 s; a draining instance is not ready, whatever they say. */
export async function runChecks(deps: HealthDeps): Promise<readonly CheckResult[]> {
  const draining = deps.isDraining() ? 'this instance is stopping' : undefined
  const results = await Promise.all(deps.checks.map((check) => runCheck(check, deps.logger)))
  return [toResult('draining', draining), ...results]
}

async function runCheck(check: HealthCheck, logger: Logger): Promise<CheckResult> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`gave no answer within ${CHECK_TIMEOUT_MS} ms`), CHECK_TIMEOUT_MS)
  })
  try {
    return toResult(check.name, await Promise.race([check.check(), deadline]))
  } catch (error) {
    // Its words are for our log: what a driver says may name hosts and accounts, and this answer is public.
    logger.warn({ event: 'health.check_failed', check: check.name, err: error }, `${check.name} could not be checked`)
    return toResult(check.name, error instanceof AppError ? error.message : 'could not be checked')
  } finally {
    clearTimeout(timer)
  }
}

function askService(service: Pick<Service, 'name' | 'fault'>, showsFaults: boolean): CheckResult {
  const fault = service.fault()
  return toResult(
    service.name,
    fault === undefined || showsFaults ? fault : "at fault; the operators' listener says why",
  )
}

function toResult(name: string, fault: string | undefined): CheckResult {
  return fault === undefined ? { name, ok: true } : { name, ok: false, message: fault }
}

function summarize(checks: readonly CheckResult[], services: readonly CheckResult[]): 'ok' | 'degraded' | 'not_ready' {
  if (!checks.every((check) => check.ok)) return 'not_ready'
  return services.every((service) => service.ok) ? 'ok' : 'degraded'
}

function answer(reply: FastifyReply, statusCode: number, body: object): FastifyReply {
  return reply.code(statusCode).header('cache-control', 'no-store').send(body)
}
