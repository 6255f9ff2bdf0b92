-- What is left of events that were removed: enough for ids to stay taken and for conditions to stay exact.
--
-- A removed event leaves `events` and `event_tags` altogether, so that no read has to ask whether one is still there.
-- Its place, id and times go to removed_events, its tags to removed_tags; only conditions look at both sides, through
-- the two views. An index that was dropped leaves the row without type and terms: conditions that reach below the
-- last such row cannot be decided, and say so.

create table stele.removed_events (
  position bigint primary key,
  recorded_at timestamptz not null,
  timestamp timestamptz not null,
  id uuid not null,
  type integer,
  part smallint not null,
  parts smallint not null,
  sent smallint not null,
  terms text[] not null
);
create index removed_events_by_type on stele.removed_events (type, position) where type is not null;
create index removed_events_unindexed on stele.removed_events (position) where type is null;
comment on column stele.removed_events.type is 'Null where the index was dropped; terms is empty then.';

create table stele.removed_tags (
  tag text collate "C" not null,
  position bigint not null,
  type integer not null,
  primary key (tag, position) include (type)
);

create index removals_of_transaction on stele.removals (transaction_id);

create view stele.all_tags as
  select t.tag, t.position, t.type from stele.event_tags t
  union all
  select r.tag, r.position, r.type from stele.removed_tags r;
create view stele.all_types as
  select e.position, e.type from stele.events e
  union all
  select r.position, r.type from stele.removed_events r where r.type is not null;

create trigger immutable_row before update or delete on stele.removed_events
  for each row execute function stele.refuse_change();
create trigger immutable_row before update or delete on stele.removed_tags
  for each row execute function stele.refuse_change();
create trigger immutable_table before truncate on stele.removed_events execute function stele.refuse_change();
create trigger immutable_table before truncate on stele.removed_tags execute function stele.refuse_change();

-- One remover at a time: a process that was stopped for a while may go on beside the one that took its place.
create function stele.lock_removals() returns void
language sql volatile as $$
  select pg_advisory_xact_lock(1398031694, 'stele.events'::regclass::oid::integer)
$$;

-- Removes events by their positions. The caller tells their terms: the index has no way from a position to them.
-- p_term_event counts the positions from 1. Positions that hold no event are passed over. Gives the number removed.
--
-- Nothing but the indexes on position may be used: the planner cannot know how few rows the arrays stand for.
create function stele.remove_events(
  p_position bigint[],
  p_term text[],
  p_term_event integer[],
  p_reason text
) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  v_removed bigint;
begin
  if cardinality(p_position) = 0 then return 0; end if;
  perform stele.lock_removals();
  if (select l.position from stele.events l order by l.position desc limit 1) = any (p_position) then
    raise exception 'the last event of a log is not removed' using errcode = 'ST004';
  end if;
  insert into stele.removals (first_position, last_position, reason)
    select min(p.position), max(p.position), p_reason from unnest(p_position) p(position);
  with gone as (
    delete from stele.events e using unnest(p_position) p(position) where e.position = p.position
    returning e.position, e.recorded_at, e.timestamp, e.id, e.type, e.part, e.parts, e.sent
  )
  insert into stele.removed_events (position, recorded_at, timestamp, id, type, part, parts, sent, terms)
    select g.position, g.recorded_at, g.timestamp, g.id, g.type, g.part, g.parts, g.sent, coalesce(t.terms, '{}')
      from gone g
      left join (select p_position[u.event] as position, array_agg(u.term) as terms
                   from unnest(p_term, p_term_event) u(term, event) group by 1) t on t.position = g.position;
  get diagnostics v_removed = row_count;
  with gone as (
    delete from stele.event_tags t
     using (select u.term, p_position[u.event] as position from unnest(p_term, p_term_event) u(term, event)) w
     where t.tag = w.term and t.position = w.position
    returning t.tag, t.position, t.type
  )
  insert into stele.removed_tags (tag, position, type) select g.tag, g.position, g.type from gone g;
  return v_removed;
end $$;

-- Drops the index of removed events up to a position, the oldest first and at most p_limit of them at once, so that
-- the index has one lower end at every moment. Gives the number of those that had one.
create function stele.drop_removed_index(p_upto bigint, p_limit integer, p_reason text) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  v_position bigint[];
begin
  perform stele.lock_removals();
  select array_agg(r.position) into v_position
    from (select r.position from stele.removed_events r
           where r.position <= p_upto and r.type is not null order by r.position limit p_limit) r;
  if v_position is null then return 0; end if;
  insert into stele.removals (first_position, last_position, reason)
    values (v_position[1], v_position[cardinality(v_position)], p_reason);
  delete from stele.removed_tags t
   using (select r.position, u.term from stele.removed_events r cross join lateral unnest(r.terms) u(term)
           where r.position = any (v_position)) w
   where t.tag = w.term and t.position = w.position;
  update stele.removed_events r set type = null, terms = '{}' where r.position = any (v_position);
  return cardinality(v_position);
end $$;

-- Gives the space of partitions back of which every event has been removed.
create function stele.empty_partitions(p_upto bigint) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '1s' as $$
declare
  size bigint;
  part record;
  is_used boolean;
begin
  select l.partition_size into strict size from stele.log l;
  for part in
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent in ('stele.events'::regclass, 'stele.event_tags'::regclass)
       and (split_part(c.relname, '_p', 2)::bigint + 1) * size - 1 <= p_upto
       and pg_relation_size(c.oid) > 0
  loop
    execute format('select exists (select from stele.%I)', part.name) into is_used;
    if not is_used then execute format('truncate stele.%I', part.name); end if;
  end loop;
end $$;

revoke all on function stele.remove_events, stele.drop_removed_index, stele.empty_partitions from public;
