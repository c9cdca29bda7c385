// What Reten holds for an activity, read from its list of tasks, and whether that is our result. The list has no filter for one
// activity: it is asked by the activity's commerce, and by its time where we know it.
//
// Its rows show `occurredAt`; that they show the result's status as well is an assumption. The filter `result_status` is
// documented, so that the list is asked with ours first: a row that comes back has it.
import { proveResult } from '../dispatch/prove-result.ts'
import type { ResultProof } from '../dispatch/prove-result.ts'
import type { RetenSide } from '../dispatch/result.ts'
import { readText, toStorableText } from '../http-answer.ts'
import type { RetenClient, RetenTaskQuery } from '../reten/reten-client.ts'
import type { RetenTaskRow } from '../schema-types.ts'
import type { Report } from '../store/load-reports.ts'
import type { Clock } from '../time.ts'

export interface ReadBack {
  readonly proof: Exclude<ResultProof, 'same_time'>
  readonly side: RetenSide
}

/** `unavailable`: the list could not be read now. `refused`: our key may not read it. */
export type ReadBackAnswer =
  ({ readonly kind: 'read' } & ReadBack) | { readonly kind: 'unavailable' | 'refused'; readonly message: string }

export interface ReadBackDeps {
  readonly client: Pick<RetenClient, 'listTasks'>
  readonly clock: Clock
}

type Found =
  | { readonly kind: 'found'; readonly row: RetenTaskRow }
  | { readonly kind: 'absent' }
  | Exclude<ReadBackAnswer, { readonly kind: 'read' }>

const PER_PAGE = 100
// A commerce has some visits a week; one with more than a thousand activities is not searched to its end while a worker waits.
const MAX_PAGES = 10
/** Whether the list's bounds belong to it is not documented. */
const MARGIN_MS = 1_000

/** Reads what Reten shows of a report's activity and compares it with the report as told with `code`. */
export async function readBack(
  deps: ReadBackDeps,
  report: Report,
  code: string,
  signal: AbortSignal,
): Promise<ReadBackAnswer> {
  const found = await find(deps, report, signal)
  if (found.kind === 'found') return compare(deps, found.row, report, code)
  if (found.kind !== 'absent') return found
  return { kind: 'read', proof: 'unknown', side: { readAt: readAt(deps), isListed: false } }
}

/** Whether what the list shows is one of `results`; by the instant alone where it shows no status. */
export function isOneOf(side: RetenSide, results: Report['announcedBy']): boolean {
  return results.some((result) => ['proven', 'same_time'].includes(proveResult(side, result)))
}

function compare(deps: ReadBackDeps, row: RetenTaskRow, report: Report, code: string): ReadBackAnswer {
  const result = readText(row['result'])
  const side: RetenSide = {
    readAt: readAt(deps),
    isListed: true,
    status: toStored(row.status),
    resultStatus: toStored(row.resultStatus),
    occurredAt: toStored(row.occurredAt),
    result,
  }
  const { status: ours, occurredAt: at } = report
  const proof = proveResult(row, { status: ours, occurredAt: at.toISOString() })
  return { kind: 'read', proof: refine(proof, result, report, code), side }
}

/** Two results of ours may have the same status and instant: then only the code tells them apart, where the row shows it. */
function refine(proof: ResultProof, result: string | undefined, report: Report, code: string): ReadBack['proof'] {
  if (proof === 'same_time') return 'unknown'
  if (proof !== 'proven') return proof
  if (result !== undefined) return result === code ? 'proven' : 'different'
  return report.hasTwin ? 'unknown' : 'proven'
}

/** By its time first; an activity that was moved at Reten meanwhile is found without. */
async function find(deps: ReadBackDeps, report: Report, signal: AbortSignal): Promise<Found> {
  const atMs = report.scheduledAt?.getTime()
  const bounds: readonly { scheduledFrom?: number; scheduledTo?: number }[] =
    atMs === undefined ? [{}] : [{ scheduledFrom: atMs - MARGIN_MS, scheduledTo: atMs + MARGIN_MS }, {}]
  for (const { scheduledFrom, scheduledTo } of bounds) {
    const query = {
      commerceExternalId: report.commerceId,
      scheduledFrom: toInstant(scheduledFrom),
      scheduledTo: toInstant(scheduledTo),
    }
    const ours = await search(deps, report, { ...query, resultStatus: report.status }, signal)
    if (ours.kind === 'found') {
      return { kind: 'found', row: { ...ours.row, resultStatus: ours.row.resultStatus ?? report.status } }
    }
    const any = ours.kind === 'absent' ? await search(deps, report, query, signal) : ours
    if (any.kind !== 'absent') return any
  }
  return { kind: 'absent' }
}

function toInstant(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString()
}

async function search(deps: ReadBackDeps, report: Report, query: RetenTaskQuery, signal: AbortSignal): Promise<Found> {
  const wanted = report.activityId.toLowerCase()
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const answer = await deps.client.listTasks({ ...query, page, perPage: PER_PAGE }, signal)
    if (answer.kind !== 'ok') {
      return { kind: answer.kind, message: `its list of tasks cannot be read: ${answer.message}` }
    }
    const { data, meta } = answer.value
    const row = data.find(({ id }) => id.toLowerCase() === wanted)
    if (row !== undefined) return { kind: 'found', row }
    const isLast = meta.totalPages === undefined ? data.length < PER_PAGE : page >= meta.totalPages
    if (isLast || data.length === 0) return { kind: 'absent' }
  }
  return { kind: 'absent' }
}

/** As PostgreSQL can hold it; what is absent stays absent. */
function toStored(text: string | null | undefined): string | null | undefined {
  return typeof text === 'string' ? toStorableText(text) : text
}

function readAt({ clock }: ReadBackDeps): string {
  return new Date(clock.now()).toISOString()
}
