// The inbox groups concurrent requests and commits them in one statement. A request is answered only after its own row is
// committed: `new`, or `repeat` with the same id.
//
// - A lone request does not wait: whatever has come in one turn of the event loop is flushed, as long as a flush is free.
//   Under load the batches form by themselves, while the flushes in flight are busy.
// - Ids are collapsed within a statement: the first caller of an id may be new, the others are repeats.
// - A value the database refuses (class 22) splits the batch, so that one bad row never fails its neighbours.
// - The queue is bounded; beyond it the answer is RCV_OVERLOADED, which Reten tries again.
import { AppError } from '../errors.ts'
import { isDataError, isMissingPartition, isWorthRunningAgain, toAppError } from '../store/database-errors.ts'
import type { NewDispatch } from '../store/insert-dispatches.ts'
import type { Repeat, RepeatKind } from '../store/record-repeat.ts'

// More rows make the statement longer without making it cheaper per row; measured flat from 64 on.
const MAX_BATCH_ROWS = 64
// One flush writes while the other is being built; more only contend for the log.
const MAX_FLUSHES = 2
// At 10,000 requests a second this is a tenth of a second of work; more waiting than that is better tried again later.
const MAX_WAITING = 1_000
// Bodies held in memory while they wait.
const MAX_WAITING_BYTES = 64 * 1024 * 1024

export type Receipt = 'new' | RepeatKind

export interface InboxDeps {
  readonly insert: (rows: readonly NewDispatch[]) => Promise<ReadonlySet<string>>
  readonly recordRepeat: (repeat: Repeat) => Promise<RepeatKind>
  /** Makes missing day partitions; called when an insert finds none for today. */
  readonly ensurePartitions: () => Promise<unknown>
  /** Called after each commit that brought new dispatches. */
  readonly onCommitted: () => void
  readonly observeBatch: (rows: number, seconds: number) => void
}

export interface Inbox {
  /** Resolves once the dispatch is committed. Throws RCV_OVERLOADED, RCV_STOPPING, RCV_DATABASE_UNAVAILABLE, RCV_BODY_INVALID. */
  submit(row: NewDispatch, onChangedBody: Repeat['onChangedBody']): Promise<Receipt>
  /** Admits nothing more and resolves when everything admitted is answered. */
  close(): Promise<void>
}

interface Waiting {
  readonly row: NewDispatch
  readonly onChangedBody: Repeat['onChangedBody']
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (error: AppError) => void
}

/** Builds an inbox. */
export function createInbox(deps: InboxDeps): Inbox {
  let queue: Waiting[] = []
  let waitingBytes = 0
  let flushes = 0
  let isScheduled = false
  let isClosed = false
  let onIdle: (() => void) | undefined

  const schedule = (): void => {
    if (isScheduled || queue.length === 0 || flushes >= MAX_FLUSHES) return
    isScheduled = true
    setImmediate(() => {
      isScheduled = false
      while (queue.length > 0 && flushes < MAX_FLUSHES) void flush(take())
    })
  }

  const take = (): Waiting[] => {
    const batch = queue.slice(0, MAX_BATCH_ROWS)
    queue = queue.slice(MAX_BATCH_ROWS)
    for (const waiting of batch) waitingBytes -= waiting.row.body.length
    return batch
  }

  const flush = async (batch: readonly Waiting[]): Promise<void> => {
    flushes += 1
    await store(deps, batch) // answers every caller itself and never throws
    flushes -= 1
    schedule()
    if (flushes === 0 && queue.length === 0) onIdle?.()
  }

  return {
    submit: (row, onChangedBody) => {
      if (isClosed)
        return Promise.reject(new AppError('RCV_STOPPING', 'this instance is stopping', { retryAfterSeconds: 1 }))
      if (queue.length >= MAX_WAITING || waitingBytes + row.body.length > MAX_WAITING_BYTES) {
        const message = `${queue.length} dispatches wait to be stored`
        return Promise.reject(new AppError('RCV_OVERLOADED', message, { retryAfterSeconds: 1 }))
      }
      return new Promise((resolve, reject) => {
        queue.push({ row, onChangedBody, resolve, reject })
        waitingBytes += row.body.length
        schedule()
      })
    },
    close: () => {
      isClosed = true
      if (flushes === 0 && queue.length === 0) return Promise.resolve()
      return new Promise((resolve) => {
        onIdle = resolve
      })
    },
  }
}

/** Stores one batch and answers each of its callers. */
async function store(deps: InboxDeps, batch: readonly Waiting[]): Promise<void> {
  const first = new Map<string, Waiting>()
  for (const waiting of batch) if (!first.has(waiting.row.id)) first.set(waiting.row.id, waiting)
  const startedAt = performance.now()
  let inserted: ReadonlySet<string>
  try {
    inserted = await insertOnce(
      deps,
      [...first.values()].map((waiting) => waiting.row),
    )
  } catch (error) {
    await answerFailure(deps, batch, first.size, error)
    return
  }
  deps.observeBatch(first.size, (performance.now() - startedAt) / 1_000)
  if (inserted.size > 0) deps.onCommitted()
  const repeats: Waiting[] = []
  for (const waiting of batch) {
    if (inserted.has(waiting.row.id) && first.get(waiting.row.id) === waiting) waiting.resolve('new')
    else repeats.push(waiting)
  }
  // Repeats are rare and each touches one row; one after another they never lock two rows at once.
  for (const waiting of repeats) await answerRepeat(deps, waiting)
}

/** Runs the insert, and once more where the first run met a deadlock or a day without its partition. */
async function insertOnce(deps: InboxDeps, rows: readonly NewDispatch[]): Promise<ReadonlySet<string>> {
  try {
    return await deps.insert(rows)
  } catch (error) {
    if (isMissingPartition(error)) await deps.ensurePartitions()
    else if (!isWorthRunningAgain(error)) throw error
    return deps.insert(rows)
  }
}

async function answerFailure(deps: InboxDeps, batch: readonly Waiting[], ids: number, error: unknown): Promise<void> {
  if (!isDataError(error)) {
    const answer = toAppError(error)
    for (const waiting of batch) waiting.reject(answer)
    return
  }
  if (ids === 1) {
    const said = error instanceof Error ? error.message : String(error)
    const details = [{ path: '', message: `holds a value the database cannot store: ${said}` }]
    const answer = new AppError('RCV_BODY_INVALID', `body ${details[0]?.message}`, { details, cause: error })
    for (const waiting of batch) waiting.reject(answer)
    return
  }
  // Callers of one id stay together, or the second of them could be answered before the first is stored.
  const ordered = batch.toSorted((a, b) => (a.row.id < b.row.id ? -1 : a.row.id > b.row.id ? 1 : 0))
  const middleId = ordered[Math.floor(ordered.length / 2)]?.row.id
  const isLow = (waiting: Waiting): boolean => middleId !== undefined && waiting.row.id < middleId
  const low = ordered.filter(isLow)
  const high = ordered.filter((waiting) => !isLow(waiting))
  const [head, tail] = low.length > 0 ? [low, high] : splitFirstId(ordered)
  await store(deps, head)
  await store(deps, tail)
}

function splitFirstId(ordered: readonly Waiting[]): [Waiting[], Waiting[]] {
  const id = ordered[0]?.row.id
  return [ordered.filter((waiting) => waiting.row.id === id), ordered.filter((waiting) => waiting.row.id !== id)]
}

async function answerRepeat(deps: InboxDeps, waiting: Waiting): Promise<void> {
  try {
    const kind = await deps.recordRepeat({ row: waiting.row, onChangedBody: waiting.onChangedBody })
    if (kind === 'changed' && waiting.onChangedBody === 'redeliver') deps.onCommitted()
    waiting.resolve(kind)
  } catch (error) {
    waiting.reject(toAppError(error))
  }
}
