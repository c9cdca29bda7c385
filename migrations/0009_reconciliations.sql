-- Purpose: what each comparison with Reten's list found, the operators' requests for one, and what a comparison looks up: results
-- that may or may not stand at Reten, and activities that wait in quarantine.
-- Lock: results and quarantine are not written while their index is built, a moment for every 100,000 of them.
-- Undo: drop table reconciliations; drop index results_unproven, quarantine_by_dispatch.

create table reconciliations (
  id bigint generated always as identity primary key,
  connection text not null,
  requested_by text,
  reason text,
  requested_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  worker text,
  pages integer not null default 0,
  seen integer not null default 0,
  missing integer not null default 0,
  waiting integer not null default 0,
  canceled integer not null default 0,
  proven integer not null default 0,
  reported_again integer not null default 0,
  differences integer not null default 0,
  findings json not null default '[]',
  is_whole boolean not null default false,
  error text,
  constraint requested_reconciliation_has_a_reason check ((requested_by is null) = (reason is null)),
  constraint started_reconciliation_has_a_worker check ((started_at is null) = (worker is null)),
  constraint finished_reconciliation_was_started check (finished_at is null or started_at is not null)
);

comment on table reconciliations is 'One comparison with Reten''s list: when, how much was seen, what was missing here, what differs.';
comment on column reconciliations.requested_by is 'The operator who asked for it; null: by schedule.';
comment on column reconciliations.missing is 'Activities that had never reached us and were taken in.';
comment on column reconciliations.waiting is 'Activities not here whose push may still be on its way.';
comment on column reconciliations.is_whole is 'Everything that stood in the list all the time was seen.';

create index reconciliations_by_connection on reconciliations (connection, id desc);
create index reconciliations_unfinished on reconciliations (connection, id) where finished_at is null;
create index results_unproven on results (connection) where state = 'unproven';
create index quarantine_by_dispatch on quarantine (dispatch_id) where replayed_at is null and dispatch_id is not null;
