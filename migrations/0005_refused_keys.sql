-- Purpose: what is known of a key that the other side refuses: how often in a row, and when it is tried again. Deliveries
-- (the provider's key) and reporting (Reten's key) are held apart: either goes on without the other. A job remembers how often
-- it met such a refusal, so that one that is refused for itself does not stop its connection for ever.
-- Lock: short; columns with constant defaults are added without rewriting a table.
-- Undo: alter table connections drop column refusals, drop column probe_at, drop column reporting_state,
--   drop column reporting_reason, drop column reporting_changed_at, drop column reporting_refusals,
--   drop column reporting_probe_at; alter table jobs drop column refusals;

alter table connections
  add column refusals integer not null default 0,
  add column probe_at timestamptz,
  add column reporting_state text not null default 'active',
  add column reporting_reason text,
  add column reporting_changed_at timestamptz not null default now(),
  add column reporting_refusals integer not null default 0,
  add column reporting_probe_at timestamptz,
  add constraint reporting_state_is_known check (reporting_state in ('active', 'paused')),
  add constraint paused_reporting_has_a_reason check (reporting_state <> 'paused' or reporting_reason is not null);

comment on column connections.refusals is
  'Times in a row that the provider refused our key; 0 once it took a delivery. Active and above 0: on trial, one at a time.';
comment on column connections.probe_at is 'When the refused key is tried again. Paused without it: an operator did, and only an operator resumes.';
comment on column connections.reporting_refusals is 'The same for Reten''s key; only the service pauses reporting.';

alter table jobs add column refusals integer not null default 0;

comment on column jobs.refusals is 'Tries that ended with the credentials at fault: not charged, and counted here.';
