-- What is recorded cannot be changed: not by the service's role, which has no right to, and not by the owner's
-- slip of the hand. Row triggers on a partitioned table are cloned to its partitions, so a DELETE that names a
-- partition is refused too; statement triggers are not, so each partition gets its own against TRUNCATE.
--
-- Retention removes events all the same. It goes through the functions of 0008-removal.sql, which nobody may execute
-- until they are granted, and the trigger lets a row go only if a removal that covers it was recorded in the same
-- transaction: nothing disappears without a trace. A partition that has become empty may be truncated: that gives
-- its space back.

create table stele.removals (
  removal bigint generated always as identity primary key,
  first_position bigint not null,
  last_position bigint not null check (last_position >= first_position),
  reason text not null check (reason <> ''),
  removed_by text not null default session_user,
  removed_at timestamptz not null default now(),
  transaction_id xid8 not null default pg_current_xact_id()
);

create function stele.refuse_change() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  is_used boolean;
begin
  if tg_op = 'DELETE' and tg_table_name ~ '^(events|event_tags|removed_events|removed_tags)(_p\d+)?$'
     or tg_op = 'UPDATE' and tg_table_name = 'removed_events' then
    if exists (
      select from stele.removals r
       where r.transaction_id = pg_current_xact_id()
         and old.position between r.first_position and r.last_position
    ) then
      return case tg_op when 'DELETE' then old else new end;
    end if;
  end if;
  if tg_op = 'TRUNCATE' and tg_table_name ~ '^(events|event_tags)_p\d+$' then
    execute format('select exists (select from stele.%I)', tg_table_name) into is_used;
    if not is_used and exists (
      select from stele.removals r cross join stele.log l
       where r.last_position >= (split_part(tg_table_name, '_p', 2)::bigint + 1) * l.partition_size - 1
    ) then
      return null;
    end if;
  end if;
  -- A log without a history may become the copy of another: stele.adopt.
  if tg_op = 'UPDATE' and tg_table_name = 'log' then
    if new.partition_size = old.partition_size and new.created_at = old.created_at
       and not exists (select from stele.event_ids) and not exists (select from stele.documents) then
      return new;
    end if;
  end if;
  raise exception 'the log is immutable: % on %.% is refused', tg_op, tg_table_schema, tg_table_name
    using errcode = 'integrity_constraint_violation',
          hint = 'Recorded events cannot be updated, deleted or truncated.';
end $$;

create trigger immutable_row before update or delete on stele.events
  for each row execute function stele.refuse_change();
create trigger immutable_row before update or delete on stele.event_tags
  for each row execute function stele.refuse_change();
create trigger immutable_row before update or delete on stele.event_ids
  for each row execute function stele.refuse_change();
create trigger immutable_row before update or delete on stele.removals
  for each row execute function stele.refuse_change();
create trigger immutable_row before update or delete on stele.log
  for each row execute function stele.refuse_change();
create trigger immutable_row before update or delete on stele.types
  for each row execute function stele.refuse_change();

create trigger immutable_table before truncate on stele.events execute function stele.refuse_change();
create trigger immutable_table before truncate on stele.event_tags execute function stele.refuse_change();
create trigger immutable_table before truncate on stele.event_ids execute function stele.refuse_change();
create trigger immutable_table before truncate on stele.removals execute function stele.refuse_change();
create trigger immutable_table before truncate on stele.log execute function stele.refuse_change();
create trigger immutable_table before truncate on stele.types execute function stele.refuse_change();
