-- Purpose: every table of the service. One dispatch is a narrow ledger row (dispatches), its bytes (dispatch_bodies), what is
-- due for it (jobs), what was tried (attempts) and what became of it (results).
-- Lock: none that matters, every object is new.
-- Undo: drop the tables and the sequence named here; there is nothing before this migration to go back to.

create table migration_marks (
  name text primary key,
  is_breaking boolean not null
);

comment on table migration_marks is 'Which applied migrations an earlier release must not run beside.';

create table connections (
  name text primary key,
  provider text not null,
  origin text not null default 'managed',
  state text not null default 'active',
  state_reason text,
  state_changed_at timestamptz not null default now(),
  reten_base_url text,
  settings jsonb not null default '{}',
  provider_settings jsonb not null default '{}',
  secrets bytea,
  secrets_key_id text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint connection_name_is_a_short_slug check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  constraint connection_origin_is_known check (origin in ('environment', 'managed')),
  constraint connection_state_is_known check (state in ('active', 'paused', 'archived')),
  constraint paused_connection_has_a_reason check (state <> 'paused' or state_reason is not null),
  constraint secrets_name_their_key check ((secrets is null) = (secrets_key_id is null))
);

comment on table connections is 'One tenant at one provider. Names never change: they are part of every dispatch id.';
comment on column connections.secrets is 'AES-256-GCM over JSON; the name is the associated data.';

create table connection_keys (
  id uuid primary key default gen_random_uuid(),
  connection text not null references connections (name),
  purpose text not null,
  digest bytea not null,
  label text,
  not_before timestamptz,
  not_after timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null default now(),
  constraint key_purpose_is_known check (purpose in ('dispatch', 'webhook')),
  constraint digest_is_sha256 check (octet_length(digest) = 32),
  constraint one_key_names_one_connection unique (purpose, digest)
);

comment on table connection_keys is 'Keys that others call us with: SHA-256 only, several live at once.';

create sequence dispatches_seq as bigint;

create table dispatches (
  id uuid primary key,
  seq bigint not null default nextval('dispatches_seq'),
  connection text not null,
  activity_id text not null,
  type text not null,
  channel text,
  commerce_id text not null,
  operator_id text,
  scheduled_at timestamptz,
  state text not null default 'received',
  reason_code text,
  origin text not null default 'pushed',
  revision integer not null default 0,
  repeats integer not null default 0,
  changed_bodies integer not null default 0,
  body_day date not null,
  body_no integer not null default 0,
  body_sha256 bytea not null,
  provider_task_id text,
  received_at timestamptz not null default now(),
  delivered_at timestamptz,
  finished_at timestamptz,
  constraint dispatch_state_is_known
    check (state in ('received', 'delivered', 'completed', 'failed', 'canceled', 'discarded')),
  constraint dispatch_origin_is_known check (origin in ('pushed', 'reconciled')),
  constraint failed_dispatch_has_a_reason check (state <> 'failed' or reason_code is not null),
  constraint delivered_dispatch_has_its_time check (state <> 'delivered' or delivered_at is not null),
  constraint ended_dispatch_has_its_time
    check (finished_at is not null or state not in ('completed', 'failed', 'canceled', 'discarded'))
) with (fillfactor = 85); -- room on the page for the two or three updates of a life, so that they stay HOT

comment on column dispatches.seq is 'Order of arrival over all instances, approximately.';
comment on column dispatches.reason_code is 'Why it failed, or not_for_us where its channel is not delivered here.';
comment on column dispatches.body_day is 'With body_no: which row of dispatch_bodies is delivered.';

create unique index dispatches_seq_key on dispatches (seq);
create index dispatches_by_connection on dispatches (connection, seq);
create index dispatches_by_provider_task on dispatches (connection, provider_task_id) where provider_task_id is not null;

create table dispatch_bodies (
  day date not null,
  dispatch_id uuid not null,
  body_no integer not null,
  received_at timestamptz not null default now(),
  sha256 bytea not null,
  headers json not null,
  body bytea not null,
  primary key (dispatch_id, body_no, day)
) partition by range (day);

comment on table dispatch_bodies is 'Bodies as received, byte for byte. body_no 0 is the first; others are repeats that differ.';

create table jobs (
  id bigint generated always as identity primary key,
  kind text not null,
  connection text not null,
  dispatch_id uuid not null,
  result_id uuid,
  commerce_id text not null,
  seq bigint not null,
  revision integer not null default 0,
  due_at timestamptz not null default now(),
  leased_until timestamptz,
  claimed_by text,
  claim_no integer not null default 0,
  attempts integer not null default 0,
  crashes integer not null default 0,
  is_fate_unknown boolean not null default false,
  parked_reason text,
  constraint job_kind_is_known check (kind in ('deliver', 'report')),
  constraint report_job_names_its_result check ((kind = 'report') = (result_id is not null)),
  constraint leased_job_has_an_owner check ((leased_until is null) = (claimed_by is null)),
  constraint parked_job_is_not_leased check (parked_reason is null or leased_until is null)
) with (
  fillfactor = 70,
  -- The table is as small as the backlog but every row dies within moments: vacuum by a fixed count, not by share.
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0
);

comment on column jobs.claim_no is 'Only grows; settling names it, so a stale worker settles nothing.';
comment on column jobs.attempts is 'Tries the destination is to blame for; our own faults are not counted.';
comment on column jobs.crashes is 'Claims that expired unsettled.';
comment on column jobs.is_fate_unknown is 'The last try may have done the work: look it up, or repeat only where that is harmless.';

create unique index one_deliver_job_per_dispatch on jobs (dispatch_id) where kind = 'deliver';
create unique index one_report_job_per_result on jobs (result_id) where kind = 'report';
create index report_jobs_by_dispatch on jobs (dispatch_id) where kind = 'report';
create index jobs_due on jobs (kind, connection, due_at, id) where leased_until is null and parked_reason is null;
create index jobs_leased on jobs (kind, connection, leased_until) where leased_until is not null;

create table attempts (
  day date not null,
  dispatch_id uuid not null,
  job_id bigint not null,
  kind text not null,
  number integer not null,
  claim_no integer not null,
  result_id uuid,
  started_at timestamptz not null,
  duration_ms integer not null,
  outcome text not null,
  http_status integer,
  error_code text,
  error_message text,
  request_excerpt text,
  response_excerpt text,
  worker text not null
) partition by range (day);

create index attempts_by_dispatch on attempts (dispatch_id, started_at);

comment on table attempts is 'Every try at a job with its outcome; append-only.';

create table results (
  id uuid primary key default gen_random_uuid(),
  dispatch_id uuid not null,
  connection text not null,
  source text not null,
  event_id text,
  revision integer not null default 0,
  status text not null,
  code text not null,
  occurred_at timestamptz not null,
  external_status text,
  comment text,
  contact_type text,
  operator_external_id text,
  future_scheduled_at timestamptz,
  state text not null default 'pending',
  reason_code text,
  reason text,
  reten_result_id text,
  created_at timestamptz not null default now(),
  settled_at timestamptz,
  constraint result_source_is_known check (source in ('adapter', 'webhook', 'operator')),
  constraint result_status_is_known check (status in ('EFFECTIVE', 'NOT_EFFECTIVE', 'PENDING')),
  constraint contact_type_is_known check (contact_type in ('INBOUND', 'OUTBOUND')),
  constraint result_state_is_known
    check (state in ('pending', 'reported', 'unproven', 'conflict', 'failed', 'superseded', 'unreportable')),
  constraint unreported_result_has_a_reason
    check (reason_code is not null or state in ('pending', 'reported', 'superseded'))
) with (fillfactor = 85);

comment on table results is 'What became of a dispatch, in Reten''s words, and whether Reten has it.';

create unique index one_result_per_provider_event on results (dispatch_id, event_id) where event_id is not null;
create unique index one_result_per_content on results (dispatch_id, revision, status, code, occurred_at)
  where event_id is null;
create index results_by_dispatch on results (dispatch_id, created_at);

create table provider_events (
  id uuid primary key,
  connection text not null,
  provider text not null,
  dispatch_id uuid,
  activity_id text,
  provider_task_id text,
  content json not null,
  body bytea not null,
  times integer not null default 1,
  received_at timestamptz not null default now(),
  matched_at timestamptz
);

comment on table provider_events is 'A provider''s webhook as received; matched_at is null while no dispatch fits it.';
comment on column provider_events.id is 'Computed from connection and event id, or from the body where there is none.';

create index provider_events_unmatched on provider_events (received_at) where matched_at is null;

create table quarantine (
  id uuid primary key,
  connection text not null,
  activity_id text,
  dispatch_id uuid,
  code text not null,
  details json not null,
  content_type text,
  headers json not null,
  sha256 bytea not null,
  body bytea not null,
  times integer not null default 1,
  first_received_at timestamptz not null default now(),
  last_received_at timestamptz not null default now(),
  replayed_at timestamptz
);

comment on table quarantine is 'Authenticated bodies that could not be read as an activity, kept with the reason.';
comment on column quarantine.id is 'Computed from connection and body, so that the same body stands here once.';

create index quarantine_by_connection on quarantine (connection, last_received_at);

create table audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor text not null,
  action text not null,
  connection text,
  target text,
  reason text,
  request_id text,
  detail jsonb not null default '{}'
);

comment on table audit_log is 'Who did what, when and why; append-only.';

create index audit_log_by_target on audit_log (target, at) where target is not null;

create table periodic_leases (
  name text primary key,
  holder text not null,
  leased_until timestamptz not null
);

comment on table periodic_leases is 'One instance at a time runs each periodic task; a row, not a session lock, so that poolers do no harm.';
