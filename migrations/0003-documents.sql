-- Documents commit together with events: snapshots now, definitions of every kind later. A write names the
-- revision it expects; 0 means that the document must not exist.

create table stele.documents (
  collection text collate "C" not null,
  key text collate "C" not null,
  revision bigint not null,
  body text not null,
  updated_at timestamptz not null,
  primary key (collection, key)
);

-- Idempotency keys are written in the transaction of the append they stand for. They live for two days in day
-- partitions that are dropped whole.
create table stele.idempotency_keys (
  day date not null,
  caller text collate "C" not null,
  key text collate "C" not null,
  hash text collate "C" not null,
  first_position bigint not null,
  recorded_at timestamptz not null,
  ids uuid[] not null,
  timestamps timestamptz[] not null,
  added text[],
  primary key (caller, key, day)
) partition by list (day);

-- Makes the partitions of today and tomorrow and drops those older than `keep_days` before today.
create function stele.ensure_idempotency_days(keep_days integer) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  today date := (clock_timestamp() at time zone 'UTC')::date;
  wanted date;
  old record;
begin
  perform pg_advisory_xact_lock(1398031693, 'stele.log'::regclass::oid::integer);
  foreach wanted in array array[today, today + 1] loop
    if to_regclass(format('stele.%I', 'idempotency_keys_' || to_char(wanted, 'YYYYMMDD'))) is null then
      execute format('create table stele.%I (like stele.idempotency_keys including all)',
        'idempotency_keys_' || to_char(wanted, 'YYYYMMDD'));
      execute format('alter table stele.idempotency_keys attach partition stele.%I for values in (%L)',
        'idempotency_keys_' || to_char(wanted, 'YYYYMMDD'), wanted);
    end if;
  end loop;
  for old in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'stele.idempotency_keys'::regclass
       and right(c.relname, 8) < to_char(today - keep_days, 'YYYYMMDD')
  loop
    execute format('drop table stele.%I', old.relname);
  end loop;
end $$;
