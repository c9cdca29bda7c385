// Results that we believe stand at Reten, compared with what its list shows of them.
//
//  Reten shows           of one we reported     of one that is unproven
//  the same              well                   reported
//  none                  shown to a person      reported again: Reten refuses a second one, so nothing is doubled
//  another               shown to a person      shown to a person
//  too little to tell    well                   shown to a person
import type { ListedResult, ResultProof } from '../dispatch/prove-result.ts'
import { proveResult } from '../dispatch/prove-result.ts'
import type { RetenClient, RetenTaskQuery } from '../reten/reten-client.ts'
import type { RetenTaskRow } from '../schema-types.ts'
import type { Db } from '../store/database.ts'
import { loadUnprovenResults } from '../store/load-standing-results.ts'
import type { StandingResult, StandingResults } from '../store/load-standing-results.ts'
import { settleReadBackAbsent, settleReadBackProven } from '../store/settle-read-back.ts'
import type { Tally } from './tally.ts'

export interface ReadBackDeps {
  readonly db: Db
  readonly client: Pick<RetenClient, 'listTasks'>
  readonly tally: Tally
  readonly onReportDue: () => void
}

/** That a row shows the result's code is an assumption. */
type Listed = ListedResult & { readonly result?: unknown }

// Two questions each, at most; the next comparison asks for others.
const MOST_ASKED = 20

/** Settles one result by what a row shows of it. */
export async function settleByRow(deps: ReadBackDeps, ours: StandingResult, listed: Listed): Promise<void> {
  const proof = proofOf(ours, listed)
  if (ours.state === 'reported') {
    if (proof === 'absent') deps.tally.note(ours.activityId, 'result_absent', describe(ours))
    if (proof === 'different') deps.tally.note(ours.activityId, 'result_different', compare(ours, listed))
    return
  }
  await settleUnproven(deps, ours, proof, listed)
}

/**
 * Asks Reten for each unproven result of a connection by name, wherever it is scheduled; answers the ids of the results that were
 * asked for. A question that is not answered ends it: what is left is asked for next time.
 */
export async function readBackUnproven(
  deps: ReadBackDeps,
  standing: StandingResults,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const asked = new Set<string>()
  for (const ours of await loadUnprovenResults(deps.db, standing, MOST_ASKED)) {
    const listed = await askFor(deps.client, ours, signal)
    if (listed === 'no_answer') break
    asked.add(ours.id)
    if (listed === 'not_listed') deps.tally.note(ours.activityId, 'result_unproven', 'Reten does not list the activity')
    else await settleUnproven(deps, ours, proofOf(ours, listed), listed)
  }
  return asked
}

async function settleUnproven(
  { db, tally, onReportDue }: ReadBackDeps,
  ours: StandingResult,
  proof: ResultProof,
  listed: Listed,
): Promise<void> {
  switch (proof) {
    case 'proven':
      if (await settleReadBackProven(db, ours)) tally.proven += 1
      return
    case 'absent':
      if (!(await settleReadBackAbsent(db, ours))) return
      tally.reportedAgain += 1
      onReportDue()
      return
    case 'different':
      tally.note(ours.activityId, 'result_different', compare(ours, listed))
      return
    case 'same_time':
    case 'unknown':
      tally.note(ours.activityId, 'result_unproven', 'the list shows too little to tell')
      return
    default:
      return proof satisfies never
  }
}

/** The list may not show a result's status; then the filter by status says it. */
async function askFor(
  client: ReadBackDeps['client'],
  ours: StandingResult,
  signal: AbortSignal,
): Promise<Listed | 'not_listed' | 'no_answer'> {
  const at = ours.scheduledAt?.toISOString()
  const query: RetenTaskQuery = {
    perPage: 100,
    commerceExternalId: ours.commerceId,
    ...(at === undefined ? {} : { scheduledFrom: at, scheduledTo: at }),
  }
  const find = async (more: RetenTaskQuery): Promise<RetenTaskRow | 'not_listed' | 'no_answer'> => {
    const answer = await client.listTasks({ ...query, ...more }, signal)
    if (answer.kind !== 'ok') return 'no_answer'
    const id = ours.activityId.toLowerCase()
    return answer.value.data.find((row) => row.id.toLowerCase() === id) ?? 'not_listed'
  }
  const row = await find({})
  if (typeof row === 'string' || proofOf(ours, row) !== 'same_time') return row
  const withStatus = await find({ resultStatus: ours.status })
  if (withStatus === 'no_answer') return withStatus
  return withStatus === 'not_listed' ? row : { ...withStatus, resultStatus: ours.status }
}

/** Two results of ours may have the same status and instant: then only the code tells them apart, where the row shows it. */
function proofOf(ours: StandingResult, listed: Listed): ResultProof {
  const proof = proveResult(listed, { status: ours.status, occurredAt: ours.occurredAt.toISOString() })
  if (proof !== 'proven') return proof
  if (typeof listed.result === 'string' && listed.result !== '')
    return listed.result === ours.code ? proof : 'different'
  return ours.hasTwin ? 'unknown' : proof
}

function describe(ours: StandingResult): string {
  return `reported: ${ours.status} ${ours.code} of ${ours.occurredAt.toISOString()}`
}

function compare(ours: StandingResult, { occurredAt, resultStatus, result }: Listed): string {
  const what = typeof result === 'string' ? ` ${result}` : ''
  return `${describe(ours)}; listed: ${resultStatus ?? 'no status'}${what} of ${occurredAt ?? 'no time'}`
}
