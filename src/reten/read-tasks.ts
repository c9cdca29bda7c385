// All activities of a window of Reten's list of tasks. The order of the list is undocumented and rows move between its pages while
// it is read: one that is removed draws a later one onto a page that was read already. So a reading of several pages counts only
// when each page told the same total and that many activities were seen; otherwise the list is read again, until a whole reading
// brings nothing new. What slips through even so (one removed and one added at the far end at the same moment) is found by the
// next reading, some minutes later.
import type { RetenTaskList, RetenTaskRow } from '../schema-types.ts'
import { pause, SECOND_MS } from '../time.ts'
import { isRetenFault } from './reten-answer.ts'
import type { RetenAnswer, RetenOk, RetenRefused, RetenUnavailable } from './reten-answer.ts'
import type { RetenClient, RetenTaskQuery } from './reten-client.ts'

export type TaskFilter = Omit<RetenTaskQuery, 'page' | 'perPage'>

/** `isStable`: every activity that was in the window all the time was seen; false where the list never stood still. */
export interface TasksRead {
  readonly kind: 'read'
  readonly pages: number
  readonly isStable: boolean
}

export type TasksReading = TasksRead | ((RetenRefused | RetenUnavailable) & { readonly pages: number })

export interface TasksReader {
  readonly client: Pick<RetenClient, 'listTasks'>
  /** Called for each page with the rows whose ids it shows for the first time; the next page waits for it. */
  readonly onRows: (rows: readonly RetenTaskRow[]) => Promise<void>
  /** Called before each page. */
  readonly onPage?: () => Promise<void>
  /** Milliseconds before a page that was not answered is asked for again; default 1 and 5 seconds. */
  readonly retryDelaysMs?: readonly number[]
}

/** The most that Reten gives at once. */
const PER_PAGE = 100
const RETRY_DELAYS_MS = [SECOND_MS, 5 * SECOND_MS]
// A list that changes with every reading is read again by the next sweep.
const MAX_READINGS = 4
// A hundred thousand activities; a list that goes on beyond is one that ignores `page`.
const MAX_PAGES = 1_000

/** Reads a window to its end. Rejects only with what `onRows` or `onPage` reject with. */
export async function readTasks(reader: TasksReader, filter: TaskFilter, signal: AbortSignal): Promise<TasksReading> {
  const seen = new Set<string>()
  let pages = 0
  for (let reading = 1; reading <= MAX_READINGS; reading += 1) {
    const before = seen.size
    const once = await readOnce(reader, filter, seen, signal)
    pages += once.pages
    if (once.kind !== 'read') return { ...once, pages }
    const isNothingNew = reading > 1 && seen.size === before
    if (once.isStable || isNothingNew) return { kind: 'read', pages, isStable: true }
  }
  return { kind: 'read', pages, isStable: false }
}

async function readOnce(
  reader: TasksReader,
  filter: TaskFilter,
  seen: Set<string>,
  signal: AbortSignal,
): Promise<TasksReading> {
  const ids = new Set<string>()
  const totals = new Set<number | undefined>()
  let rowsRead = 0
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    await reader.onPage?.()
    const answer = await readPage(reader, { ...filter, page, perPage: PER_PAGE }, signal)
    if (answer.kind !== 'ok') return { ...answer, pages: page }
    const { data, meta } = answer.value
    const fresh = [...new Map(data.map((row) => [keyOf(row), row])).values()].filter((row) => !seen.has(keyOf(row)))
    const isRepetition = data.every((row) => ids.has(keyOf(row)))
    for (const row of data) {
      ids.add(keyOf(row))
      seen.add(keyOf(row))
    }
    rowsRead += data.length
    totals.add(meta.total)
    if (fresh.length > 0) await reader.onRows(fresh)
    // A page that is empty, or shows nothing but what this reading has seen, ends a list without usable totals.
    if (isLast(answer, page, rowsRead) || isRepetition) {
      const isCounted = totals.size === 1 && totals.has(ids.size) && rowsRead === ids.size
      return { kind: 'read', pages: page, isStable: page === 1 || isCounted }
    }
  }
  return { kind: 'read', pages: MAX_PAGES, isStable: false }
}

/** By whatever the envelope tells: the number of pages, the number of rows, or nothing. */
function isLast({ value: { data, meta } }: RetenOk<RetenTaskList>, page: number, rowsRead: number): boolean {
  if (data.length === 0) return true
  if (meta.totalPages !== undefined) return page >= meta.totalPages
  if (meta.total !== undefined) return rowsRead >= meta.total
  return false
}

async function readPage(
  { client, retryDelaysMs = RETRY_DELAYS_MS }: TasksReader,
  query: RetenTaskQuery,
  signal: AbortSignal,
): Promise<RetenAnswer<RetenTaskList>> {
  let answer = await client.listTasks(query, signal)
  for (const delayMs of retryDelaysMs) {
    if (!isRetenFault(answer) || signal.aborted) break
    await pause(delayMs, signal)
    answer = await client.listTasks(query, signal)
  }
  return answer
}

/** Two spellings of one UUID are one activity. */
function keyOf({ id }: RetenTaskRow): string {
  return id.toLowerCase()
}
