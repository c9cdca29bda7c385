// An attempt as a part of the statements that settle a job: it is written if and only if the claim was still ours.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { ClaimedJob } from './claim-jobs.ts'

/** One try, finished. Excerpts are capped and hold no secrets: the adapter's business. */
export interface FinishedAttempt {
  readonly job: ClaimedJob
  readonly startedAt: Date
  readonly durationMs: number
  readonly outcome: string
  readonly httpStatus?: number | undefined
  readonly code?: string | undefined
  readonly message?: string | undefined
  readonly request?: string | undefined
  readonly response?: string | undefined
  readonly worker: string
}

/**
 * `insert into attempts … select … from job`, for use in a statement whose part `job` holds the settled row, or nothing where
 * the claim is stale. Text from outside is freed of U+0000, which PostgreSQL's text cannot hold.
 */
export function insertAttempt(attempt: FinishedAttempt): RawBuilder<unknown> {
  const { job } = attempt
  return sql`
    insert into attempts (day, dispatch_id, job_id, kind, number, claim_no, result_id, started_at, duration_ms, outcome,
                          http_status, error_code, error_message, request_excerpt, response_excerpt, worker)
    select (now() at time zone 'utc')::date, ${job.dispatchId}::uuid, ${job.id}::bigint, ${job.kind}::text,
           ${job.attempts + 1}::int, ${job.claimNo}::int, ${job.resultId}::uuid, ${attempt.startedAt}::timestamptz,
           ${Math.round(attempt.durationMs)}::int, ${attempt.outcome}::text, ${attempt.httpStatus ?? null}::int,
           ${storable(attempt.code)}::text, ${storable(attempt.message)}::text, ${storable(attempt.request)}::text,
           ${storable(attempt.response)}::text, ${attempt.worker}::text
    from job`
}

/** Text as PostgreSQL can hold it. */
export function storable(text: string | undefined): string | null {
  return text === undefined ? null : text.replaceAll('\u0000', '\ufffd')
}
