// The inbox groups concurrent requests and commits them in one statement. A request is answered only after its own row is
// committed: `new`, or `repeat` with the same id.
//
// - A lone request does not wait: whatever has come in one turn of the event loop is flushed, as long as a flush is free.
//   Under load the batches form by themselves, while the flushes in flight are busy.
// - Ids are collapsed within a statement: the first caller of an id may be new, the others are repeats.
// - A value the database refuses (class 22) splits the batch, so that one bad row never fails its neighbours.
// - The queue is bounded; beyond it the answer is RCV_OVERLOADED, which Reten tries again.
// - Once it took long to find the database away, all who wait are told so: each further batch would take as long, and Reten
//   does not wait that long.
// - Nobody waits for a database that says nothing: after four seconds a batch is told so, and while every flush is stuck like
//   that, so is whoever comes. A row that is stored after all is a repeat the next time.
import { AppError } from '../errors.ts'
import { isDataError, isMissingPartition, isWorthRunningAgain, toAppError } from '../store/database-errors.ts'
import type { NewDispatch } from '../store/insert-dispatches.ts'
import type { Repeat, RepeatKind } from '../store/record-repeat.ts'

// More rows make the statement longer without making it cheaper per row; measured flat from 64 on.
const MAX_BATCH_ROWS = 64
// A batch of large bodies is cut shorter: it is copied twice on its way to the database.
const MAX_BATCH_BYTES = 4 * 1024 * 1024
// One flush writes while the other is being built; more only contend for the log.
const MAX_FLUSHES = 2
// At 10,000 requests a second this is a tenth of a second of work; more waiting than that is better tried again later.
const MAX_WAITING = 1_000
// Bodies held in memory until they are answered; with their copies this stays far below a small machine's memory.
const MAX_WAITING_BYTES = 32 * 1024 * 1024

// An absence that is noticed faster costs nobody anything: whoever waits finds out in the next batch.
const SLOW_ABSENCE_MS = 1_000

// With the batch before it nobody waits for twice as long, which is below any time-out Reten may have.
const FLUSH_PATIENCE_MS = 4_000

export type Receipt = 'new' | RepeatKind

export interface InboxDeps {
  readonly insert: (rows: readonly NewDispatch[]) => Promise<ReadonlySet<string>>
  readonly recordRepeat: (repeat: Repeat) => Promise<RepeatKind>
  /** Makes missing day partitions; called when an insert finds none for today. */
  readonly ensurePartitions: () => Promise<unknown>
  /** Called after each commit that brought new dispatches. */
  readonly onCommitted: () => void
  readonly observeBatch: (rows: number, seconds: number) => void
  /** Milliseconds a batch may take before its callers are told that the database is away. Default 4,000. */
  readonly flushPatienceMs?: number
}

export interface Inbox {
  /** Resolves once the dispatch is committed. Throws RCV_OVERLOADED, RCV_STOPPING, RCV_DATABASE_UNAVAILABLE, RCV_BODY_INVALID. */
  submit(row: NewDispatch, onChangedBody: Repeat['onChangedBody']): Promise<Receipt>
  /** Undefined while it can store, else one sentence that anybody may read. */
  fault(): string | undefined
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
  let stuckFlushes = 0
  let isScheduled = false
  let closing: PromiseWithResolvers<void> | undefined

  const schedule = (): void => {
    if (isScheduled || queue.length === 0 || flushes >= MAX_FLUSHES) return
    isScheduled = true
    setImmediate(() => {
      isScheduled = false
      while (queue.length > 0 && flushes < MAX_FLUSHES) void flush(take())
    })
  }

  const take = (): Waiting[] => {
    let [rows, bytes] = [0, 0]
    for (const { row } of queue) {
      bytes += row.body.length
      if (rows > 0 && (rows >= MAX_BATCH_ROWS || bytes > MAX_BATCH_BYTES)) break
      rows += 1
    }
    const batch = queue.slice(0, rows)
    queue = queue.slice(rows)
    return batch
  }

  const flush = async (batch: readonly Waiting[]): Promise<void> => {
    flushes += 1
    const startedAt = performance.now()
    let isStuck = false
    const patience = setTimeout(() => {
      isStuck = true
      stuckFlushes += 1
      for (const waiting of batch) waiting.reject(silenceError())
      if (stuckFlushes === MAX_FLUSHES) refuseWaiting(silenceError())
    }, deps.flushPatienceMs ?? FLUSH_PATIENCE_MS)
    const away = await store(deps, batch) // answers every caller itself and never throws
    clearTimeout(patience)
    flushes -= 1
    if (isStuck) stuckFlushes -= 1
    for (const { row } of batch) waitingBytes -= row.body.length
    if (away !== undefined && performance.now() - startedAt > SLOW_ABSENCE_MS) refuseWaiting(away)
    schedule()
    if (isIdle()) closing?.resolve()
  }

  const refuseWaiting = (answer: AppError): void => {
    for (const waiting of queue.splice(0)) {
      waitingBytes -= waiting.row.body.length
      waiting.reject(answer)
    }
  }

  const isIdle = (): boolean => flushes === 0 && queue.length === 0

  return {
    submit: (row, onChangedBody) => {
      if (closing !== undefined)
        return Promise.reject(new AppError('RCV_STOPPING', 'this instance is stopping', { retryAfterSeconds: 1 }))
      if (stuckFlushes === MAX_FLUSHES) return Promise.reject(silenceError())
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
    fault: () => (stuckFlushes === MAX_FLUSHES ? 'the database does not answer' : undefined),
    close: () => {
      closing ??= Promise.withResolvers<void>()
      if (isIdle()) closing.resolve()
      return closing.promise
    },
  }
}

function silenceError(): AppError {
  return new AppError('RCV_DATABASE_UNAVAILABLE', 'the database does not answer', { retryAfterSeconds: 5 })
}

/** Stores one batch and answers each of its callers. What it answers is the refusal, where the database was away. */
async function store(deps: InboxDeps, batch: readonly Waiting[]): Promise<AppError | undefined> {
  const first = new Map<string, Waiting>()
  for (const waiting of batch) if (!first.has(waiting.row.id)) first.set(waiting.row.id, waiting)
  const rows = [...first.values()].map((waiting) => waiting.row)
  const startedAt = performance.now()
  let inserted: ReadonlySet<string>
  try {
    inserted = await runAgainWhereItHelps(deps, () => deps.insert(rows))
  } catch (error) {
    return answerFailure(deps, batch, [...first.keys()], error)
  }
  deps.observeBatch(rows.length, (performance.now() - startedAt) / 1_000)
  if (inserted.size > 0) deps.onCommitted()
  const repeats: Waiting[] = []
  for (const waiting of batch) {
    if (inserted.has(waiting.row.id) && first.get(waiting.row.id) === waiting) waiting.resolve('new')
    else repeats.push(waiting)
  }
  return answerRepeats(deps, repeats)
}

/** Runs a statement, and once more where the first run met a deadlock or a day without its partition. */
async function runAgainWhereItHelps<T>(deps: InboxDeps, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (isMissingPartition(error)) await deps.ensurePartitions()
    else if (!isWorthRunningAgain(error)) throw error
    return run()
  }
}

/** `ids` are those of the batch, each once, in the order they came. */
async function answerFailure(
  deps: InboxDeps,
  batch: readonly Waiting[],
  ids: readonly string[],
  error: unknown,
): Promise<AppError | undefined> {
  if (!isDataError(error)) {
    const answer = toAppError(error)
    for (const waiting of batch) waiting.reject(answer)
    return answer.code === 'RCV_DATABASE_UNAVAILABLE' ? answer : undefined
  }
  if (ids.length === 1) {
    const said = error instanceof Error ? error.message : String(error)
    const details = [{ path: '', message: `holds a value the database cannot store: ${said}` }]
    const answer = new AppError('RCV_BODY_INVALID', `body ${details[0]?.message}`, { details, cause: error })
    for (const waiting of batch) waiting.reject(answer)
    return undefined
  }
  // Callers of one id stay together, or the second of them could be answered before the first is stored.
  const head = new Set(ids.slice(0, Math.floor(ids.length / 2)))
  await store(
    deps,
    batch.filter((waiting) => head.has(waiting.row.id)),
  )
  return store(
    deps,
    batch.filter((waiting) => !head.has(waiting.row.id)),
  )
}

/**
 * Repeats are rare and each touches one row; one after another they never lock two rows at once. Once the database is away
 * the rest is told so at once: each would wait for a time-out of its own.
 */
async function answerRepeats(deps: InboxDeps, repeats: readonly Waiting[]): Promise<AppError | undefined> {
  let away: AppError | undefined
  for (const waiting of repeats) {
    if (away !== undefined) {
      waiting.reject(away)
      continue
    }
    const { row, onChangedBody } = waiting
    try {
      const kind = await runAgainWhereItHelps(deps, () => deps.recordRepeat({ row, onChangedBody }))
      if (kind === 'changed' && onChangedBody === 'redeliver') deps.onCommitted()
      waiting.resolve(kind)
    } catch (error) {
      const answer = toAppError(error)
      if (answer.code === 'RCV_DATABASE_UNAVAILABLE') away = answer
      waiting.reject(answer)
    }
  }
  return away
}
