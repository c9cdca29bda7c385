// What an operator does when Reten writes its bodies in a way nobody expected: look at the quarantine, say by field_paths where
// things stand, and have the kept bodies read again.
import { request } from 'undici'
import { AppError } from '../../errors.ts'
import { untilReady } from './service-view.ts'
import { CONNECTION_SETTINGS } from './stage.ts'
import type { Stage } from './stage.ts'

/** Where the unexpected bodies of Reten's stand-in hold what the service needs. */
const FIELD_PATHS = Object.freeze({
  activity_id: '/payload/ref',
  type: '/payload/kind',
  channel: '/payload/medium',
  scheduled_at: '/payload/when',
  commerce_external_id: '/store/code',
  commerce_name: '/store/title',
  operator_external_id: '/agent/code',
  operator_name: '/agent/label',
})
const READY_TIMEOUT_MS = 60_000
const CONCURRENCY = 16

interface QuarantinePage {
  readonly data: readonly { readonly id: string }[]
  readonly meta: { readonly next_cursor: string | null }
}

/** Sets field_paths, restarts the service with them, and replays everything in quarantine; answers how many there were. */
export async function repairQuarantine(stage: Stage): Promise<number> {
  const ids = await listQuarantine(stage)
  process.stderr.write(`\n${ids.length} bodies in quarantine; setting field_paths and reading them again\n`)
  const settings = { ...CONNECTION_SETTINGS, field_paths: FIELD_PATHS }
  await stage.service.restart({ CONNECTION_SETTINGS: JSON.stringify(settings) })
  if (!(await untilReady(stage.publicUrl, READY_TIMEOUT_MS, stage.service.hasEnded))) {
    throw new AppError('RCV_COMMAND_INVALID', `the service did not come back; its log is ${stage.logFile}`)
  }
  const waiting = ids.values()
  const lane = async (): Promise<void> => {
    for (const id of waiting)
      await call(stage, 'POST', `/admin/quarantine/${id}/replay`, { reason: 'field_paths are set' })
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, lane))
  return ids.length
}

async function listQuarantine(stage: Stage): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | null = null
  do {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page = (await call(stage, 'GET', `/admin/quarantine?limit=200${query}`)) as QuarantinePage // our own admin API
    ids.push(...page.data.map((row) => row.id))
    cursor = page.meta.next_cursor
  } while (cursor !== null)
  return ids
}

async function call(stage: Stage, method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
  const answer = await request(`${stage.opsUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${stage.adminToken}`, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  })
  const said = await answer.body.text()
  if (answer.statusCode !== 200) throw new Error(`${method} ${path} was answered ${answer.statusCode}: ${said}`)
  return JSON.parse(said)
}
