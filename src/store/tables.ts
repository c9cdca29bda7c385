// The tables as Kysely sees them; migrations/ is their definition.
import type { ColumnType, Generated } from 'kysely'
import type { Cancellation, DispatchState } from '../dispatch/states.ts'
import type { Finding } from '../dispatch/finding.ts'
import type { ContactType, ResultSource, ResultState, ResultStatus, RetenSide } from '../dispatch/result.ts'
import type { KnownFields } from '../dispatch/known-fields.ts'
import type { SchemaChangeKind } from '../dispatch/schema-drift.ts'

/** An instant: read as Date, written as Date or ISO text. */
type Instant = ColumnType<Date, Date | string, Date | string>
type GeneratedInstant = ColumnType<Date, Date | string | undefined, Date | string>
/** JSON: read parsed, written as text. */
type Json<T> = ColumnType<T, string, string>
type GeneratedJson<T> = ColumnType<T, string | undefined, string>
/** A calendar day in UTC, `YYYY-MM-DD`. */
type Day = string

export const JOB_KINDS = ['deliver', 'report', 'cancel'] as const
export type JobKind = (typeof JOB_KINDS)[number]

export interface Database {
  connections: {
    name: string
    provider: string
    origin: Generated<'environment' | 'managed'>
    state: Generated<'active' | 'paused' | 'archived'>
    state_reason: string | null
    state_changed_at: GeneratedInstant
    refusals: Generated<number>
    probe_at: Instant | null
    reporting_state: Generated<'active' | 'paused'>
    reporting_reason: string | null
    reporting_changed_at: GeneratedInstant
    reporting_refusals: Generated<number>
    reporting_probe_at: Instant | null
    reten_base_url: string | null
    settings: GeneratedJson<unknown>
    provider_settings: GeneratedJson<Record<string, unknown>>
    secrets: Buffer | null
    secrets_key_id: string | null
    created_at: GeneratedInstant
    updated_at: GeneratedInstant
  }
  connection_keys: {
    id: Generated<string>
    connection: string
    purpose: 'dispatch' | 'webhook'
    digest: Buffer
    label: string | null
    not_before: Instant | null
    not_after: Instant | null
    revoked_at: Instant | null
    last_used_at: Instant | null
    created_at: GeneratedInstant
  }
  dispatches: {
    id: string
    seq: Generated<number>
    connection: string
    activity_id: string
    type: string
    channel: string | null
    commerce_id: string
    operator_id: string | null
    scheduled_at: Instant | null
    state: Generated<DispatchState>
    reason_code: string | null
    origin: Generated<'pushed' | 'reconciled'>
    revision: Generated<number>
    repeats: Generated<number>
    changed_bodies: Generated<number>
    body_day: Day
    body_no: Generated<number>
    body_sha256: Buffer
    provider_task_id: string | null
    provider_task_revision: number | null
    cancellation: Cancellation | null
    overdue_at: Instant | null
    received_at: GeneratedInstant
    delivered_at: Instant | null
    finished_at: Instant | null
  }
  dispatch_bodies: {
    day: Day
    dispatch_id: string
    body_no: number
    received_at: GeneratedInstant
    sha256: Buffer
    headers: Json<Record<string, string>>
    body: Buffer
  }
  jobs: {
    id: Generated<number>
    kind: JobKind
    connection: string
    dispatch_id: string
    result_id: string | null
    commerce_id: string
    seq: number
    revision: Generated<number>
    due_at: GeneratedInstant
    leased_until: Instant | null
    claimed_by: string | null
    claim_no: Generated<number>
    attempts: Generated<number>
    crashes: Generated<number>
    crashed_claim_no: number | null
    is_fate_unknown: Generated<boolean>
    parked_reason: string | null
    refusals: Generated<number>
    is_skipped: Generated<boolean>
  }
  commerce_blocks: {
    dispatch_id: string
    connection: string
    commerce_id: string
    seq: number
  }
  attempts: {
    day: Day
    dispatch_id: string
    job_id: number
    kind: JobKind
    number: number
    claim_no: number
    result_id: string | null
    started_at: Instant
    duration_ms: number
    outcome: string
    http_status: number | null
    error_code: string | null
    error_message: string | null
    request_excerpt: string | null
    response_excerpt: string | null
    worker: string
  }
  results: {
    id: Generated<string>
    dispatch_id: string
    connection: string
    source: ResultSource
    event_id: string | null
    revision: Generated<number>
    status: ResultStatus
    code: string
    occurred_at: Instant
    external_status: string | null
    comment: string | null
    contact_type: ContactType | null
    operator_external_id: string | null
    future_scheduled_at: Instant | null
    state: Generated<ResultState>
    reason_code: string | null
    reason: string | null
    reten_result_id: string | null
    attention_at: Instant | null
    is_override: Generated<boolean>
    told_code: string | null
    reten_side: Json<RetenSide> | null
    created_at: GeneratedInstant
    settled_at: Instant | null
  }
  provider_events: {
    id: string
    connection: string
    provider: string
    dispatch_id: string | null
    activity_id: string | null
    provider_task_id: string | null
    content: Json<unknown>
    body: Buffer
    times: Generated<number>
    received_at: GeneratedInstant
    matched_at: Instant | null
  }
  quarantine: {
    id: string
    connection: string
    activity_id: string | null
    dispatch_id: string | null
    code: string
    details: Json<unknown>
    content_type: string | null
    headers: Json<Record<string, string>>
    sha256: Buffer
    body: Buffer
    times: Generated<number>
    first_received_at: GeneratedInstant
    last_received_at: GeneratedInstant
    replayed_at: Instant | null
  }
  audit_log: {
    id: Generated<number>
    at: GeneratedInstant
    actor: string
    action: string
    connection: string | null
    target: string | null
    reason: string | null
    request_id: string | null
    detail: GeneratedJson<unknown>
  }
  reconciliations: {
    id: Generated<number>
    connection: string
    requested_by: string | null
    reason: string | null
    requested_at: GeneratedInstant
    started_at: Instant | null
    finished_at: Instant | null
    worker: string | null
    pages: Generated<number>
    seen: Generated<number>
    missing: Generated<number>
    waiting: Generated<number>
    canceled: Generated<number>
    proven: Generated<number>
    reported_again: Generated<number>
    differences: Generated<number>
    findings: GeneratedJson<readonly Finding[]>
    is_whole: Generated<boolean>
    error: string | null
  }
  connection_budgets: {
    connection: string
    kind: JobKind
    tokens: number | null
    counted_at: GeneratedInstant
    closed_until: Instant | null
  }
  drift_bookmark: {
    is_only: Generated<boolean>
    seq: number
  }
  body_shapes: {
    connection: string
    activity_type: string
    shape: Json<KnownFields>
    updated_at: GeneratedInstant
  }
  schema_changes: {
    id: Generated<number>
    connection: string
    activity_type: string
    change: SchemaChangeKind
    path: string
    new_type: Generated<string>
    sample_path: string
    types: string[]
    former_types: string[]
    bodies: number
    first_seen_at: Instant
    last_seen_at: Instant
    told_at: GeneratedInstant
    ended_at: Instant | null
  }
  periodic_leases: {
    name: string
    holder: string
    leased_until: Instant
  }
  migration_marks: {
    name: string
    is_breaking: boolean
  }
}
