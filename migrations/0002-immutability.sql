-- What is recorded cannot be changed: not by the service's role, which has no right to, and not by the owner's
-- slip of the hand. Row triggers on a partitioned table are cloned to its partitions, so a DELETE that names a
-- partition is refused too; statement triggers are not, so each partition gets its own against TRUNCATE.
--
-- Retention and erasure will have to remove events one day. They go through remove_events, which nobody may
-- execute until it is granted, and the trigger lets a row go only if a removal that covers it was recorded in
-- the same transaction: nothing disappears without a trace.

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
begin
  if tg_op = 'DELETE' and starts_with(tg_table_name, 'events') then
    if exists (
      select from stele.removals r
       where r.transaction_id = pg_current_xact_id()
         and old.position between r.first_position and r.last_position
    ) then
      return old;
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

-- Removes the events in a range of positions; ids stay taken and tags stay indexed. Gives the number removed.
create function stele.remove_events(p_first bigint, p_last bigint, p_reason text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  removed bigint;
begin
  insert into stele.removals (first_position, last_position, reason) values (p_first, p_last, p_reason);
  delete from stele.events e where e.position between p_first and p_last;
  get diagnostics removed = row_count;
  return removed;
end $$;
revoke all on function stele.remove_events from public;
