-- Purpose: how much of a connection's rate is left, and until when its destination wants no calls, for all instances.
-- Lock: none that matters, every object is new.
-- Undo: drop table connection_budgets; earlier releases do not know it.

create table connection_budgets (
  connection text not null,
  kind text not null,
  tokens double precision,
  counted_at timestamptz not null default now(),
  closed_until timestamptz,
  primary key (connection, kind),
  constraint budget_kind_is_known check (kind in ('deliver', 'report'))
) with (
  fillfactor = 10, -- written at every claim of a connection with a rate: room on the page keeps those updates HOT
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 500
);

comment on table connection_budgets is 'Beside connections, whose rows everybody reads: this one is written all the time.';
comment on column connection_budgets.tokens is 'What was left at counted_at; null: everything.';
comment on column connection_budgets.closed_until is 'The destination asked to be left alone until then.';
