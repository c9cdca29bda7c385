-- Purpose: what a result needs to stand at Reten provably: what Reten was found to hold, whether a person decided to overwrite
-- that, which code Reten was told, and since when somebody should look at it. The mark, and not the state, is indexed, so that
-- reporting a result stays a HOT update. Results that the service makes itself have a source of their own. A dispatch knows which
-- of its revisions the provider's task belongs to, so that late news of an earlier one is not taken for the present one's.
-- Lock: results and dispatches for moments; columns without a default rewrite nothing, the check is not held against the rows that
-- are there. Results are not written while the index is built, about a second for each million of them.
-- Undo: drop the columns and the index; delete results with the source service and put result_source_is_known back as it was.

alter table results
  add column attention_at timestamptz,
  add column is_override boolean not null default false,
  add column told_code text,
  add column reten_side jsonb,
  drop constraint result_source_is_known,
  add constraint result_source_is_known check (source in ('adapter', 'webhook', 'operator', 'service')) not valid;

comment on column results.attention_at is 'Since when somebody should look at it; null where nobody has to.';
comment on column results.is_override is 'A person decided that it overwrites what Reten holds.';
comment on column results.told_code is 'The code that Reten was told, where result_map made another one of it.';
comment on column results.reten_side is 'What Reten''s list showed of the activity when it was last read for this result.';

update results set attention_at = coalesce(settled_at, created_at)
where state in ('failed', 'unproven', 'conflict', 'unreportable');

create index results_to_look_at on results (created_at, id) where attention_at is not null;

alter table dispatches add column provider_task_revision integer;

comment on column dispatches.provider_task_revision is 'The revision whose delivery provider_task_id came from.';
