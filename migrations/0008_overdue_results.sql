-- Purpose: dispatches whose result is overdue, marked once when they become so. The mark, and not the state, is indexed: an
-- index over states would have every completion write all the indexes of its row.
-- Lock: dispatches are not written while the index is built, about a second for each million of them; the column rewrites nothing.
-- Undo: drop index dispatches_overdue; alter table dispatches drop column overdue_at.

alter table dispatches add column overdue_at timestamptz;

comment on column dispatches.overdue_at is 'Since when its result is known to be overdue; may outlast that by one walk.';

create index dispatches_overdue on dispatches (seq) where overdue_at is not null;
