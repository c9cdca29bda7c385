-- Purpose: order per commerce, for connections that choose it. An index that finds what else is to be delivered for a commerce,
-- the failed dispatches that hold up their commerce, and parked deliveries that no longer do.
-- Lock: jobs are not written while its indexes are built, a moment for every 100,000 of them; the column rewrites nothing.
-- Undo: drop table commerce_blocks; drop index jobs_by_commerce, jobs_parked; alter table jobs drop column is_skipped.

alter table jobs add column is_skipped boolean not null default false;

comment on column jobs.is_skipped is 'While it is parked it holds up nothing of its commerce: an operator said so.';

create index jobs_by_commerce on jobs (connection, commerce_id, seq) where kind = 'deliver';
create index jobs_parked on jobs (connection, commerce_id) where parked_reason is not null;

create table commerce_blocks (
  dispatch_id uuid primary key,
  connection text not null,
  commerce_id text not null,
  seq bigint not null
);

comment on table commerce_blocks is
  'A dispatch that failed and holds up the later ones of its commerce as long as it is failed; skipped: the row is gone.';

create index commerce_blocks_by_commerce on commerce_blocks (connection, commerce_id, seq);
