-- Purpose: what is known of the fields of pushed bodies, and how they changed. Names and types, never values.
-- Lock: none that matters, every object is new.
-- Undo: drop table schema_changes, body_shapes, drift_bookmark; earlier releases do not know them.

create table drift_bookmark (
  is_only boolean primary key default true,
  seq bigint not null,
  constraint drift_bookmark_is_one_row check (is_only)
);

comment on table drift_bookmark is 'The dispatch up to which bodies were looked at.';

insert into drift_bookmark (seq) values (0);

create table body_shapes (
  connection text not null,
  activity_type text not null,
  shape json not null,
  updated_at timestamptz not null default now(),
  primary key (connection, activity_type)
);

comment on table body_shapes is 'The fields of one connection''s bodies of one activity type; bounded, rewritten as a whole.';

create table schema_changes (
  id bigint generated always as identity primary key,
  connection text not null,
  activity_type text not null,
  change text not null,
  path text not null,
  new_type text not null default '',
  sample_path text not null,
  types text[] not null,
  former_types text[] not null,
  bodies bigint not null,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  told_at timestamptz not null default now(),
  ended_at timestamptz,
  constraint schema_change_is_known check (change in ('new', 'vanished', 'retyped')),
  constraint only_a_retyped_field_has_a_new_type check ((change = 'retyped') = (new_type <> '')),
  constraint one_row_per_schema_change unique (connection, activity_type, change, path, new_type)
);

comment on table schema_changes is 'Changes that are no accident; kept and counted on, one row each however often they happen.';
comment on column schema_changes.bodies is 'Bodies with the new field or type; of a field that vanished, bodies without it.';
comment on column schema_changes.ended_at is 'When a field that vanished came back.';
