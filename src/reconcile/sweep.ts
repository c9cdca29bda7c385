// One comparison of one connection with Reten's list. It can end at any moment and be begun again: what it takes in goes through
// the insert that leaves known activities alone, what it cancels or settles is settled once.
import type { Connection } from '../connection.ts'
import { computeDispatchId } from '../dispatch/identity.ts'
import { reasonNotReconciled } from '../reason-not-reconciled.ts'
import { readTasks } from '../reten/read-tasks.ts'
import type { RetenClient } from '../reten/reten-client.ts'
import { readTaskStage } from '../reten/task-stage.ts'
import type { RetenTaskRow } from '../schema-types.ts'
import { cancelDispatch } from '../store/cancel-dispatch.ts'
import type { Db } from '../store/database.ts'
import { findKnownDispatches } from '../store/find-known-dispatches.ts'
import type { KnownDispatch } from '../store/find-known-dispatches.ts'
import type { NewDispatch } from '../store/insert-dispatches.ts'
import { loadStandingResults } from '../store/load-standing-results.ts'
import { DAY_MS } from '../time.ts'
import type { Clock } from '../time.ts'
import { findHidden } from './find-hidden.ts'
import type { HiddenDeps } from './find-hidden.ts'
import { graceMs } from './grace.ts'
import { isForUs, judgeUnseen } from './judge-unseen.ts'
import { readListedDispatch } from './listed-dispatch.ts'
import { readBackUnproven, settleByRow } from './read-back.ts'
import type { ReadBackDeps } from './read-back.ts'
import type { Tally } from './tally.ts'

export interface SweepDeps extends ReadBackDeps, HiddenDeps {
  readonly db: Db
  readonly clock: Clock
  readonly worker: string
  readonly client: Pick<RetenClient, 'listTasks'>
  readonly tally: Tally
  /** Called where Reten does not let us look for hidden ones, with its words, or undefined where it does. */
  readonly onHiddenRead: (refusal: string | undefined) => void
  /** Every connection there is; those to the same Reten may have what this one misses. */
  readonly connections: readonly Connection[]
  readonly isEmbedded: boolean
  /** Stores it unless it is there; resolves once it is committed, with whether it was new. */
  readonly takeIn: (dispatch: NewDispatch) => Promise<boolean>
  readonly onCanceled: () => void
  /** Called before each page; rejects where another instance has the connection's turn. */
  readonly keepTurn: () => Promise<void>
  /** For tests; default as in `readTasks`. */
  readonly retryDelaysMs?: readonly number[] | undefined
}

export interface SweepEnd {
  readonly isWhole: boolean
  /** Why it did not come to its end. */
  readonly error: string | undefined
}

// An outage, a weekend and some; the list filters by the scheduled time alone.
const BACK_MS = 7 * DAY_MS
// Reten dispatches an activity when it is created, however far ahead it is scheduled.
const AHEAD_MS = 90 * DAY_MS
/** As many as the inbox stores in one statement. */
const BATCH = 64

interface Unseen {
  readonly row: RetenTaskRow
  readonly dispatchId: string
}

/** Runs it. What it found is in the tally, also where it did not come to its end; rejects with faults of ours. */
export async function sweep(
  deps: SweepDeps,
  connection: Connection,
  begun: { readonly startedAt: string },
  signal: AbortSignal,
): Promise<SweepEnd> {
  const { client, tally, keepTurn } = deps
  const standing = { connection: connection.name, before: begun.startedAt }
  const readBack = await readBackUnproven(deps, standing, signal)
  const nowMs = deps.clock.now()
  const window = {
    scheduledFrom: new Date(nowMs - BACK_MS).toISOString(),
    scheduledTo: new Date(nowMs + AHEAD_MS).toISOString(),
  }
  const { channels } = connection.settings
  const unseen: Unseen[] = []
  const listed = new Set<string>()
  const onRows = async (rows: readonly RetenTaskRow[]): Promise<void> => {
    tally.seen += rows.length
    for (const row of rows) listed.add(row.id.toLowerCase())
    unseen.push(...(await compareRows(deps, connection, rows, standing, readBack)))
  }
  const reader = { client, onRows, onPage: keepTurn, ...(deps.retryDelaysMs && { retryDelaysMs: deps.retryDelaysMs }) }
  let isWhole = true
  let error: string | undefined
  for (const channel of channels ?? [undefined]) {
    const reading = await readTasks(reader, { ...window, channel }, signal)
    tally.pages += reading.pages
    if (reading.kind === 'read') isWhole &&= reading.isStable
    else error = reading.message
    if (error !== undefined) break
  }
  await takeMissing(deps, connection, unseen, { nowMs, isCounted: error === undefined })
  if (error === undefined) deps.onHiddenRead(await findHidden(deps, connection, { ...window, listed }, signal))
  return { isWhole: isWhole && error === undefined, error }
}

/** Cancels and reads back what is known here; answers what is not. */
async function compareRows(
  deps: SweepDeps,
  connection: Connection,
  rows: readonly RetenTaskRow[],
  standing: { readonly before: string },
  readBack: ReadonlySet<string>,
): Promise<Unseen[]> {
  const listed = rows.map((row) => ({ row, dispatchId: computeDispatchId(connection.name, row.id) }))
  const ids = listed.map(({ dispatchId }) => dispatchId)
  const known = await findKnownDispatches(deps.db, ids)
  const results = await loadStandingResults(deps.db, standing, [...known.keys()])
  const unseen: Unseen[] = []
  for (const { row, dispatchId } of listed) {
    const dispatch = known.get(dispatchId)
    if (dispatch === undefined) {
      unseen.push({ row, dispatchId })
      continue
    }
    const result = results.get(dispatchId)
    if (result !== undefined && !readBack.has(result.id)) await settleByRow(deps, result, row)
    await cancelWhereCanceled(deps, row, dispatch)
  }
  return unseen
}

/** One that Reten offers to dispatch by force was given up, whatever word it stands under, and not cancelled. */
async function cancelWhereCanceled(
  { db, tally, worker, onCanceled }: SweepDeps,
  row: RetenTaskRow,
  { id, state, cancellation }: KnownDispatch,
): Promise<void> {
  if (readTaskStage(row) !== 'canceled' || row.canForceRetryDispatch === true) return
  if ((state !== 'received' && state !== 'delivered') || cancellation !== null) return
  const author = { actor: `service:${worker}` }
  const canceled = await cancelDispatch(db, { id, source: 'reten', reason: 'it is cancelled at Reten', author })
  if (canceled.kind === 'ended') {
    tally.note(row.id, 'cancel_too_late', `its end was told before: ${canceled.state}`)
  } else if (canceled.kind === 'cancelled') {
    tally.canceled += 1
    onCanceled()
  }
}

async function takeMissing(
  deps: SweepDeps,
  connection: Connection,
  unseen: readonly Unseen[],
  { nowMs, isCounted }: { readonly nowMs: number; readonly isCounted: boolean },
): Promise<void> {
  const { settings, createdAt } = connection
  const { tally } = deps
  const waiting = unseen.filter(({ row }) => readTaskStage(row) === 'waiting').length
  const rules = {
    channels: settings.channels,
    nowMs,
    fromMs: Date.parse(settings.reconcileFrom ?? '') || createdAt.getTime(),
    // Where not all of the list was read, nobody knows how much waits.
    graceMs: settings.pullOnly ? 0 : graceMs(isCounted ? waiting : Number.POSITIVE_INFINITY),
  }
  const missing: Unseen[] = []
  for (const one of unseen) {
    const judgement = judgeUnseen(one.row, { ...rules, dispatchId: one.dispatchId })
    if (judgement.kind === 'taken') missing.push(one)
    else if (judgement.kind === 'waits') tally.waiting += 1
    else if (judgement.kind === 'shown') tally.note(one.row.id, judgement.finding)
  }
  await takeAll(deps, connection, missing)
}

/** The oldest first: their order of arrival is the order they are delivered in. */
async function takeAll(deps: SweepDeps, connection: Connection, missing: readonly Unseen[]): Promise<void> {
  const byAge = missing.toSorted((a, b) => createdMs(a) - createdMs(b))
  const { others, rivals } = findSiblings(deps, connection)
  for (let from = 0; from < byAge.length; from += BATCH) {
    const batch = byAge.slice(from, from + BATCH)
    await Promise.all(batch.map(({ row }) => takeOne(deps, connection, row, { others, rivals })))
  }
}

interface Siblings {
  /** Connections to the same Reten: what they have is not missing. */
  readonly others: readonly Connection[]
  /** Those of them that compare the same tenant's list, by the same key. */
  readonly rivals: readonly Connection[]
}

function findSiblings({ connections, isEmbedded }: SweepDeps, connection: Connection): Siblings {
  const others = connections.filter(
    ({ name, retenBaseUrl }) => name !== connection.name && retenBaseUrl === connection.retenBaseUrl,
  )
  const rivals = others.filter(
    (other) => other.retenApiKey === connection.retenApiKey && reasonNotReconciled(other, isEmbedded) === undefined,
  )
  return { others, rivals }
}

async function takeOne(
  { db, tally, takeIn }: SweepDeps,
  connection: Connection,
  row: RetenTaskRow,
  { others, rivals }: Siblings,
): Promise<void> {
  const rival = rivals.find((other) => isForUs(row, other.settings.channels))
  if (rival !== undefined) {
    tally.note(row.id, 'several_connections', `${rival.name} would take it as well: give them different channels`)
    return
  }
  const elsewhere = await findKnownDispatches(
    db,
    others.map((other) => computeDispatchId(other.name, row.id)),
  )
  if (elsewhere.size > 0) {
    tally.note(row.id, 'of_another_connection')
    return
  }
  const listed = readListedDispatch(connection, row)
  if (listed.kind === 'unreadable') tally.note(row.id, 'unreadable', listed.why)
  else if (await takeIn(listed.dispatch)) tally.missing += 1
}

function createdMs({ row }: Unseen): number {
  return Date.parse(row.createdAt ?? '') || 0
}
