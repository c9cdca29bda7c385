import { ok, type Answer } from '../answer.ts'
import { describeTask } from './describe-task.ts'
import type { Task } from './records.ts'
import { refuse } from './refuse.ts'
import type { YomState } from './state.ts'

/** What lists take. */
export interface ListQuery {
  readonly externalId?: string
  readonly page?: string
  readonly limit?: string
  readonly cursor?: string
}

/** Tasks in the envelope YOM documents for lists; by `externalId` only where the switch makes tasks searchable. */
export const listTasks = (state: YomState, query: ListQuery): Answer => {
  const { externalId } = query
  if (externalId !== undefined) {
    state.totals.lookups += 1
    if (state.switches.idempotency !== 'lookup') return refuse(400, 'Tasks cannot be searched by externalId')
  }
  const page = readNumber(query.page, 1)
  const limit = readNumber(query.limit, 50)
  if (page === undefined || limit === undefined || limit > 100) return refuse(400, 'page or limit is out of range')
  const found: readonly Task[] =
    externalId === undefined ? [...state.tasks.values()] : (state.byExternalId.get(externalId) ?? [])
  const totalPages = Math.max(1, Math.ceil(found.length / limit))
  return ok({
    data: found.slice((page - 1) * limit, page * limit).map(describeTask),
    pagination: {
      current_page: page,
      per_page: limit,
      total_pages: totalPages,
      total_items: found.length,
      next_page: page < totalPages ? page + 1 : null,
      prev_page: page > 1 ? page - 1 : null,
    },
  })
}

/** What happened since a cursor, oldest first; a task may come several times. `next_cursor` is for the next call. */
export const listChanges = (state: YomState, query: ListQuery): Answer => {
  const { completion } = state.switches
  if (completion !== 'poll' && completion !== 'both') return refuse(404, 'There is no list of changes')
  const from = readNumber(query.cursor, 0)
  const limit = readNumber(query.limit, 50)
  if (from === undefined || limit === undefined || limit > 100) return refuse(400, 'cursor or limit is out of range')
  const ids = state.changes.slice(from, from + limit)
  const data = ids.flatMap((id) => {
    const task = state.tasks.get(id)
    return task === undefined ? [] : [describeTask(task)]
  })
  const next = from + ids.length
  return ok({ data, next_cursor: String(next), has_more: next < state.changes.length })
}

const readNumber = (text: string | undefined, fallback: number): number | undefined => {
  if (text === undefined) return fallback
  return /^\d{1,9}$/.test(text) && (fallback === 0 || Number(text) >= 1) ? Number(text) : undefined
}
