-- Purpose: what is known of a dispatch's cancellation, and the job that asks a provider to cancel a task.
-- Lock: dispatches and jobs for moments; the check is not held against the rows that are there, since each is null.
-- Undo: drop the column and the index, delete the jobs of kind cancel, and put job_kind_is_known back as it was.

alter table dispatches add column cancellation text;
alter table dispatches add constraint cancellation_is_known
  check (cancellation in ('requested', 'canceled', 'too_late', 'refused', 'unsupported', 'gave_up')) not valid;

comment on column dispatches.cancellation is
  'What the provider says of a cancellation; null where none was asked for or nothing had been done yet.';

alter table jobs drop constraint job_kind_is_known;
alter table jobs add constraint job_kind_is_known check (kind in ('deliver', 'report', 'cancel'));

create unique index one_cancel_job_per_dispatch on jobs (dispatch_id) where kind = 'cancel';
