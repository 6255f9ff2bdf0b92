-- The log: events, the ids they took, and the index of their tags.
--
-- Names are written with the schema `stele`; the migrator puts the configured schema in its place.
--
-- events and event_tags are partitioned by position, in few and large partitions, because a condition without a
-- lower bound probes all of them under the append lock. Ids have to be unique over all partitions, so they live
-- in one table of their own. A tag row repeats the type: a condition on tags and types is decided by one
-- index-only scan that starts at `after`.
--
-- body is the text from "version" to the end of data, as the client sent it. It is text and not jsonb: the
-- service has validated it, jsonb would reorder and re-render it, and parsing it was the largest single cost of
-- an append. The view event_log gives it back as jsonb to whoever reads by SQL.

create table stele.log (
  one_row boolean primary key default true check (one_row),
  log_id uuid not null,
  partition_size bigint not null check (partition_size > 0),
  created_at timestamptz not null default now()
);
comment on table stele.log is 'Identity of this log. A restored or replaced history gets a new log_id.';

create table stele.types (
  id integer generated always as identity primary key,
  type text collate "C" not null unique
);
comment on table stele.types is 'Event types by number. A row may exist before the first event of its type.';

create table stele.events (
  position bigint not null,
  recorded_at timestamptz not null,
  timestamp timestamptz not null,
  id uuid not null,
  type integer not null,
  part smallint not null,
  parts smallint not null,
  sent smallint not null,
  body text not null,
  added text not null default '',
  primary key (position)
) partition by range (position);
create index events_by_type on stele.events (type, position);
create index events_by_timestamp on stele.events (timestamp, position);
comment on column stele.events.part is 'Index of the event in the batch it was appended with; parts is the size of that batch.';
comment on column stele.events.sent is 'Bits: which optional members the client sent. Decides whether a repeated id means the same event.';

comment on column stele.events.added is
  'JSON array of pointers to what the service added. Empty, not null: a null would make each row eight bytes longer.';

create table stele.event_ids (
  id uuid primary key,
  position bigint not null
);

create table stele.event_tags (
  tag text collate "C" not null,
  position bigint not null,
  type integer not null,
  primary key (tag, position) include (type)
) partition by range (position);
comment on table stele.event_tags is
  'key:value of every tag, and $member:value of the indexed metadata members (no tag key can start with $).';

-- Makes partitions until the one that holds `upto` exists, and gives the first position that has none. A
-- partition is built aside and attached, which does not block readers or writers; partition of would.
create function stele.ensure_partitions(upto bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  size bigint;
  lower bigint;
  name text;
begin
  perform pg_advisory_xact_lock(1398031692, 'stele.log'::regclass::oid::integer);
  select l.partition_size into strict size from stele.log l;
  select coalesce(max(split_part(c.relname, '_p', 2)::bigint) + 1, 0) * size into lower
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
   where i.inhparent = 'stele.event_tags'::regclass;
  while lower <= upto loop
    name := 'events_p' || (lower / size);
    execute format('create table stele.%I (like stele.events including all) with '
      '(autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)', name);
    execute format('create trigger immutable_table before truncate on stele.%I '
      'execute function stele.refuse_change()', name);
    execute format('alter table stele.events attach partition stele.%I for values from (%s) to (%s)',
      name, lower, lower + size);
    name := 'event_tags_p' || (lower / size);
    execute format('create table stele.%I (like stele.event_tags including all) with '
      '(autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)', name);
    execute format('create trigger immutable_table before truncate on stele.%I '
      'execute function stele.refuse_change()', name);
    execute format('alter table stele.event_tags attach partition stele.%I for values from (%s) to (%s)',
      name, lower, lower + size);
    lower := lower + size;
  end loop;
  return lower;
end $$;
