-- The append: one call, one statement, one commit, one verdict for each request.
--
-- Positions are handed out under an advisory lock that is held until the commit, so the order of positions is
-- the order of commits and no reader can pass an event that is still in flight. The function is VOLATILE and the
-- isolation READ COMMITTED: each statement after the lock sees everything that committed before the lock was
-- granted. Lock and check in one statement would check against a snapshot older than the lock.
--
-- A call is fenced by (writer, epoch). A process that lost its connection cannot know whether its last call is
-- dead or still waiting for the lock; it raises its epoch under the same lock, and from then on a late call of
-- the old epoch is refused. Only after that do the ids tell what happened.

create table stele.writers (
  writer uuid primary key,
  epoch integer not null,
  started_at timestamptz not null default now()
) with (fillfactor = 50);

create function stele.lock_log() returns void
language sql volatile as $$
  select pg_advisory_xact_lock(1398031685, 'stele.events'::regclass::oid::integer)
$$;

-- Registers a writer, or raises its epoch; gives the epoch to append with.
create function stele.fence(p_writer uuid) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  result integer;
begin
  perform stele.lock_log();
  insert into stele.writers as w (writer, epoch) values (p_writer, 1)
    on conflict (writer) do update set epoch = w.epoch + 1
    returning w.epoch into result;
  return result;
end $$;

-- Gives the numbers of types, in the order asked for, and makes those that are missing.
create function stele.register_types(p_types text[]) returns integer[]
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into stele.types (type)
    select u.type from unnest(p_types) u(type)
     where not exists (select from stele.types t where t.type = u.type)
     -- All in one order: two who insert the same names each wait for the other's otherwise.
     order by u.type collate "C"
    on conflict (type) do nothing;
  return (
    select array_agg(t.id order by u.place)
      from unnest(p_types) with ordinality u(type, place) join stele.types t on t.type = u.type
  );
end $$;

-- Positions above p_after that match one item of a query, ascending, at most 10. Tags are driven by the rarest
-- of them; the others are probed by primary key. Both sides of a probe repeat the bound on the position.
create function stele.item_conflicts(p_types integer[], p_tags text[], p_after bigint, p_system integer[])
returns setof bigint
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  driver text;
  rest text[];
begin
  if cardinality(p_tags) > 0 then
    driver := p_tags[1];
    if cardinality(p_tags) > 1 then
      select u.tag into driver from unnest(p_tags) u(tag)
       order by (select count(*) from (
         select from stele.all_tags t where t.tag = u.tag and t.position > p_after limit 1000) sample)
       limit 1;
      rest := array_remove(p_tags, driver);
      return query
        select t.position from stele.all_tags t
         where t.tag = driver and t.position > p_after
           and case when p_types is null then t.type <> all (p_system) else t.type = any (p_types) end
           and (select count(*) from stele.all_tags o
                 where o.tag = any (rest) and o.position = t.position and o.position > p_after) = cardinality(rest)
         order by t.position limit 10;
    else
      return query
        select t.position from stele.all_tags t
         where t.tag = driver and t.position > p_after
           and case when p_types is null then t.type <> all (p_system) else t.type = any (p_types) end
         order by t.position limit 10;
    end if;
  elsif p_types is not null then
    return query
      select e.position from unnest(p_types) u(type), lateral (
        select e.position from stele.all_types e
         where e.type = u.type and e.position > p_after order by e.position limit 10) e
       order by e.position limit 10;
  else
    return query
      select e.position from stele.all_types e
       where e.position > p_after and e.type <> all (p_system) order by e.position limit 10;
  end if;
end $$;

-- The last position above p_after that matches one item of a query, with its type, for items that do not have exactly
-- one tag. As in item_conflicts, from the other end.
create function stele.item_last(p_types integer[], p_tags text[], p_after bigint, p_system integer[])
returns table ("position" bigint, type integer)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  driver text;
  rest text[];
begin
  if cardinality(p_tags) > 0 then
    select u.tag into driver from unnest(p_tags) u(tag)
     order by (select count(*) from (
       select from stele.all_tags t where t.tag = u.tag and t.position > p_after limit 1000) sample)
     limit 1;
    rest := array_remove(p_tags, driver);
    return query
      select t.position, t.type from stele.all_tags t
       where t.tag = driver and t.position > p_after
         and case when p_types is null then t.type <> all (p_system) else t.type = any (p_types) end
         and (select count(*) from stele.all_tags o
               where o.tag = any (rest) and o.position = t.position and o.position > p_after) = cardinality(rest)
       order by t.position desc limit 1;
  elsif p_types is not null then
    return query
      select e.position, e.type from unnest(p_types) u(type), lateral (
        -- Written as a range of the index by type: for one event of a type that is frequent on average the planner would
        -- go through the log from its end, and a rare type has its last event far from there.
        select e.position, e.type from stele.all_types e
         where (e.type, e.position) > (u.type, p_after) and (e.type, e.position) <= (u.type, 9223372036854775807)
           and e.position > p_after
         order by e.type desc, e.position desc limit 1) e
       order by e.position desc limit 1;
  else
    return query
      select e.position, e.type from stele.all_types e
       where e.position > p_after and e.type <> all (p_system) order by e.position desc limit 1;
  end if;
end $$;

-- Conditions come in two forms. Items with exactly one tag and at most one type, by far the most, are rows of
-- arrays (p_one_…), decided by one join; a type that is '' stands for none. All others are in p_checks, a JSON
-- array of items {r: request, c: condition, a: after, t: [types] | null, g: [tags]}. Requests and conditions are
-- numbered from 0; p_checks_after and p_ones_after are the lowest `after` of each form. Arrays named p_event_… run
-- over the events, in the order of their requests; p_event_added is null where nothing was added to any of them.
--
-- Guards that expect none are conditions with the next numbers. Those that expect an event are in p_guards, a JSON array
-- of the items of their queries {r, c, a, t, g, w, n: boolean}: one of the items has to match, or, with `w`, the last
-- match of all of them is of one of these types; `n` is what becomes of it where there is none. `t` and `w` are null or
-- an index, from 1, of p_type_sets, whose texts are arrays of the numbers of types: a rule asks the same of every event,
-- and its types are many. One match is enough to know, so each is looked up from the end where it is likely to stand:
-- what has to be there is mostly what a tag began with. p_guards_after is the lowest `after` of those that hold where
-- nothing is found, or -1 where there is one that does not.
--
-- The requests in p_registry_request are refused where the registry does not have their p_registry_revision.
--
-- If the call before this one, whose events had the ids from p_behind_first to p_behind_last, was stored whole at
-- p_clear + 1 to p_behind and nothing stands behind it, conditions whose `after` is p_clear or above are known to hold.
--
-- Gives the last position before the batch, the time of recording, whether the clock went back, and what was refused:
-- {r, kind: 'key' | 'ids' | 'registry' | 'condition' | 'floor' | 'document', …}.
create function stele.append(
  p_writer uuid,
  p_epoch integer,
  p_event_request integer[],
  p_event_store boolean[],
  p_event_id uuid[],
  p_event_type integer[],
  p_event_time timestamptz[],
  p_event_part smallint[],
  p_event_parts smallint[],
  p_event_sent smallint[],
  p_event_body text[],
  p_event_added text[],
  p_term text[],
  p_term_event integer[],
  p_known_id uuid[],
  p_known_request integer[],
  p_one_request integer[],
  p_one_condition integer[],
  p_one_after bigint[],
  p_one_tag text[],
  p_one_type text[],
  p_ones_after bigint,
  p_checks text,
  p_checks_after bigint,
  p_guards text,
  p_guards_after bigint,
  p_type_sets text[],
  p_registry_request integer[],
  p_registry_revision bigint[],
  p_keys text,
  p_writes text,
  p_clear bigint,
  p_behind bigint,
  p_behind_first uuid,
  p_behind_last uuid,
  out base bigint,
  out recorded timestamptz,
  out clock_behind boolean,
  out refused json
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_epoch integer;
  v_last timestamptz;
  v_last_id uuid;
  v_open bigint;
  v_system integer[];
  v_refused integer[] := '{}';
  v_settled integer[];
  v_place bigint[];
  v_parts json[] := '{}';
  v_found json;
  v_floor bigint;
  v_registry bigint;
  v_failed integer[];
  v_guard_request integer[];
  v_guard integer[];
  v_guard_after bigint[];
  v_guard_position bigint[];
  v_guard_fails boolean[];
  v_low_request integer[];
  v_low_guard integer[];
begin
  perform stele.lock_log();
  select w.epoch, greatest(e.position, r.position), e.recorded_at, e.id, d.revision
    into v_epoch, base, v_last, v_last_id, v_registry
    from (select) one
    left join stele.writers w on w.writer = p_writer
    left join lateral (
      select l.position, l.recorded_at, l.id from stele.events l order by l.position desc limit 1) e on true
    -- Above the last event only in a copy that was broken off.
    left join lateral (
      select l.position from stele.removed_events l order by l.position desc limit 1) r on true
    left join lateral (
      select d.revision from stele.documents d
       where p_registry_request is not null and d.collection = 'registry' and d.key = 'head' limit 1) d on true;
  if v_epoch is distinct from p_epoch then
    raise exception 'writer % has been fenced: epoch % is not %', p_writer, p_epoch, v_epoch
      using errcode = 'ST001';
  end if;
  base := coalesce(base, 0);
  recorded := date_trunc('milliseconds', clock_timestamp());
  clock_behind := coalesce(recorded < v_last, false);
  recorded := greatest(recorded, v_last);
  -- The events of one call lie together: between its first and its last one, as many as it had, there are no others.
  v_open := base;
  if base = p_behind and v_last_id = p_behind_last then
    if exists (select from stele.events e where e.position = p_clear + 1 and e.id = p_behind_first) then
      v_open := p_clear;
    end if;
  end if;

  if p_keys is not null then
    select json_agg(json_build_object('r', k.r, 'kind', 'key', 'hash', i.hash, 'first', i.first_position,
             'recorded', i.recorded_at, 'ids', i.ids, 'timestamps', i.timestamps, 'added', i.added)), array_agg(k.r)
      into v_found, v_refused
      from json_to_recordset(p_keys::json) k(r integer, caller text, key text)
      join stele.idempotency_keys i on i.caller = k.caller and i.key = k.key;
    v_refused := coalesce(v_refused, '{}');
    if v_found is not null then v_parts := v_parts || v_found; end if;
  end if;

  if cardinality(p_known_id) > 0 then
    with taken as (
      select u.r, i.id from unnest(p_known_id, p_known_request) u(id, r)
        join stele.event_ids i on i.id = u.id
       where u.r <> all (v_refused)
    )
    select json_agg(json_build_object('r', t.r, 'kind', 'ids', 'ids', t.ids)), v_refused || array_agg(t.r)
      into v_found, v_refused
      from (select taken.r, json_agg(taken.id) as ids from taken group by taken.r) t;
    if v_found is not null then v_parts := v_parts || v_found; else v_refused := coalesce(v_refused, '{}'); end if;
  end if;

  if coalesce(v_registry, 0) <> any (p_registry_revision) then
    select json_agg(json_build_object('r', u.r, 'kind', 'registry', 'revision', coalesce(v_registry, 0))),
           v_refused || array_agg(u.r)
      into v_found, v_refused
      from unnest(p_registry_request, p_registry_revision) u(r, revision)
     where u.revision <> coalesce(v_registry, 0) and u.r <> all (v_refused);
    if v_found is not null then v_parts := v_parts || v_found; else v_refused := coalesce(v_refused, '{}'); end if;
  end if;

  v_settled := v_refused;

  if least(p_ones_after, p_checks_after, p_guards_after) < v_open then
    select coalesce(array_agg(t.id), '{}') into v_system from stele.types t where t.type >= '$' and t.type < '%';
  end if;

  if least(p_ones_after, p_checks_after) < v_open then
    with one as (
      select i.r, i.c, i.a, i.g, t.id as type, i.t = '' as any_type
        from unnest(p_one_request, p_one_condition, p_one_after, p_one_tag, p_one_type) i(r, c, a, g, t)
        left join stele.types t on t.type = i.t
       where i.a < v_open and (i.t = '' or t.id is not null)
    ), conflict as (
      select i.r, i.c, p.position
        from one i cross join lateral (
          select t.position from stele.all_tags t
           where t.tag = i.g and t.position > i.a
             and case when i.any_type then t.type <> all (v_system) else t.type = i.type end
           order by t.position limit 10) p
       where i.r <> all (v_refused)
      union all
      select i.r, i.c, p.position
        from json_to_recordset(p_checks::json) i(r integer, c integer, a bigint, t text[], g text[])
        cross join lateral stele.item_conflicts(
          case when i.t is not null then array(select t.id from stele.types t where t.type = any (i.t)) end,
          i.g, i.a, v_system) p(position)
       where i.a < v_open and i.r <> all (v_refused)
    ), failed as (
      select c.r, c.c, array_agg(c.position order by c.position) as positions
        from (select distinct r, c, position from conflict) c group by c.r, c.c
    )
    select json_agg(json_build_object('r', f.r, 'kind', 'condition', 'c', f.c, 'positions', f.positions[1:10])),
           v_refused || array_agg(f.r)
      into v_found, v_refused from failed f;
    if v_found is not null then v_parts := v_parts || v_found; else v_refused := coalesce(v_refused, '{}'); end if;
  end if;

  if p_guards_after < v_open then
    with item as materialized (
      select g.r, g.c, g.a, g.g as tags, g.w, g.n, cardinality(g.g) = 1 as is_one, g.w is not null as is_last,
             p_type_sets[g.t]::integer[] as types
        from json_to_recordset(p_guards::json)
             g(r integer, c integer, a bigint, t integer, g text[], w integer, n boolean)
       where g.r <> all (v_settled) and (g.a < v_open or not g.n)
    ), found as (
      select distinct on (i.r, i.c) i.r, i.c, i.a, i.w, i.n, i.is_last, m.position, m.type
        from item i left join lateral (
          (select t.position, t.type from stele.all_tags t
            where i.is_one and not i.is_last and t.tag = i.tags[1] and t.position > i.a
              and case when i.types is null then t.type <> all (v_system) else t.type = any (i.types) end
            order by t.position limit 1)
          union all
          (select t.position, t.type from stele.all_tags t
            where i.is_one and i.is_last and t.tag = i.tags[1] and t.position > i.a
              and case when i.types is null then t.type <> all (v_system) else t.type = any (i.types) end
            order by t.position desc limit 1)
          union all
          (select l.position, l.type from stele.item_last(i.types, i.tags, i.a, v_system) l where not i.is_one limit 1)
        ) m on true
       order by i.r, i.c, m.position desc nulls last
    )
    select array_agg(f.r), array_agg(f.c), array_agg(f.a), array_agg(f.position),
           array_agg(f.position is not null or f.n is not true)
      into v_guard_request, v_guard, v_guard_after, v_guard_position, v_guard_fails
      from found f
     where f.position is null
        or f.is_last and f.type <> all (p_type_sets[f.w]::integer[]);
    if v_guard_request is not null then
      -- What was not found may have stood where the index was dropped, also in this very moment: that is asked last.
      select r.position into v_floor from stele.removed_events r where r.type is null order by r.position desc limit 1;
      select json_agg(json_build_object('r', u.r, 'kind', 'condition', 'c', u.c, 'positions',
               case when u.position is null then '{}' else array[u.position] end)) filter (where u.fails and not u.is_low),
             array_agg(u.r) filter (where u.fails and not u.is_low),
             array_agg(u.r) filter (where u.is_low), array_agg(u.c) filter (where u.is_low)
        into v_found, v_failed, v_low_request, v_low_guard
        from (select u.*, u.position is null and u.a < coalesce(v_floor, 0) as is_low
                from unnest(v_guard_request, v_guard, v_guard_after, v_guard_position, v_guard_fails)
                     u(r, c, a, position, fails)) u;
      if v_found is not null then
        v_parts := v_parts || v_found;
        v_refused := v_refused || v_failed;
      end if;
    end if;
  end if;

  -- What reaches below the index and has not failed is not known to hold.
  if least(p_ones_after, p_checks_after) < v_open or v_low_request is not null then
    select r.position into v_floor from stele.removed_events r where r.type is null order by r.position desc limit 1;
    if least(p_ones_after, p_checks_after) < v_floor or v_low_request is not null then
      select json_agg(json_build_object('r', f.r, 'kind', 'floor', 'c', f.c, 'from', v_floor + 1)),
             v_refused || array_agg(f.r)
        into v_found, v_refused
        from (select i.r, min(i.c) as c
                from (select u.r, u.c, u.a from unnest(p_one_request, p_one_condition, p_one_after) u(r, c, a)
                      union all
                      select k.r, k.c, k.a from json_to_recordset(p_checks::json) k(r integer, c integer, a bigint)
                      union all
                      select u.r, u.c, 0 from unnest(v_low_request, v_low_guard) u(r, c)) i
               where i.a < v_floor and i.r <> all (v_refused)
               group by i.r) f;
      if v_found is not null then v_parts := v_parts || v_found; else v_refused := coalesce(v_refused, '{}'); end if;
    end if;
  end if;

  if p_writes is not null then
    select json_agg(json_build_object('r', w.r, 'kind', 'document', 'collection', w.collection, 'key', w.key,
             'revision', coalesce(d.revision, 0))), v_refused || array_agg(w.r)
      into v_found, v_refused
      from json_to_recordset(p_writes::json) w(r integer, collection text, key text, expected bigint)
      left join stele.documents d on d.collection = w.collection and d.key = w.key
     where w.r <> all (v_refused) and coalesce(d.revision, 0) <> w.expected;
    if v_found is not null then v_parts := v_parts || v_found; else v_refused := coalesce(v_refused, '{}'); end if;
  end if;

  if p_writes is not null then
    delete from stele.documents d
     using json_to_recordset(p_writes::json) w(r integer, s boolean, collection text, key text, body text)
     where d.collection = w.collection and d.key = w.key and w.body is null and w.s and w.r <> all (v_refused);
    insert into stele.documents as d (collection, key, revision, body, updated_at)
      select w.collection, w.key, w.expected + 1, w.body, recorded
        from json_to_recordset(p_writes::json) w(r integer, s boolean, collection text, key text, expected bigint, body text)
       where w.body is not null and w.s and w.r <> all (v_refused)
      on conflict (collection, key) do update
        set revision = excluded.revision, body = excluded.body, updated_at = excluded.updated_at;
  end if;

  if cardinality(p_event_id) > 0 then
    -- Events take consecutive positions. Where some of them are not stored, v_place says which take which; without it
    -- each takes its own, and the statement that finds that out is saved.
    if v_refused <> '{}' or false = any (p_event_store) then
      select array_agg(case when s.stored then base + s.n end order by s.o) into v_place
        from (
          select u.o, u.stored, count(*) filter (where u.stored) over (order by u.o) as n
            from (select e.o, e.s and e.r <> all (v_refused) as stored
                    from unnest(p_event_request, p_event_store) with ordinality e(r, s, o)) u
        ) s;
    end if;
    insert into stele.events (position, recorded_at, timestamp, id, type, part, parts, sent, body, added)
      select coalesce(v_place[e.o], base + e.o), recorded, coalesce(e.at, recorded), e.id, e.type, e.part, e.parts,
             e.sent, e.body, coalesce(e.added, '')
        from unnest(p_event_id, p_event_type, p_event_time, p_event_part, p_event_parts, p_event_sent, p_event_body,
                    p_event_added)
             with ordinality e(id, type, at, part, parts, sent, body, added, o)
       where v_place is null or v_place[e.o] is not null;
    insert into stele.event_ids (id, position)
      select e.id, coalesce(v_place[e.o], base + e.o) from unnest(p_event_id) with ordinality e(id, o)
       where v_place is null or v_place[e.o] is not null;
    insert into stele.event_tags (tag, position, type)
      select t.term, coalesce(v_place[t.event], base + t.event), p_event_type[t.event]
        from unnest(p_term, p_term_event) t(term, event)
       where v_place is null or v_place[t.event] is not null;
    if p_keys is not null then
      insert into stele.idempotency_keys (day, caller, key, hash, first_position, recorded_at, ids, timestamps, added)
        select (clock_timestamp() at time zone 'UTC')::date, k.caller, k.key, k.hash,
               min(coalesce(v_place[e.o], base + e.o)), recorded,
               array_agg(e.id order by e.o), array_agg(coalesce(e.at, recorded) order by e.o),
               case when bool_or(p_event_added[e.o] <> '') then array_agg(p_event_added[e.o] order by e.o) end
          from json_to_recordset(p_keys::json) k(r integer, s boolean, caller text, key text, hash text)
          join unnest(p_event_request, p_event_id, p_event_time) with ordinality e(r, id, at, o) on e.r = k.r
         where k.s and k.r <> all (v_refused)
         group by k.caller, k.key, k.hash;
    end if;
  end if;

  -- The size of a zone is that of note_zones.
  if base / 2048 <> (base + cardinality(p_event_id)) / 2048 then perform stele.note_zones(); end if;

  if cardinality(v_parts) > 0 then refused := array_to_json(v_parts); end if;
end $$;

-- The last position that was recorded up to a time, by bisection: recorded_at never decreases with position.
create function stele.position_at(p_at timestamptz) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  low bigint := 0;
  high bigint;
  middle bigint;
  at timestamptz;
begin
  select greatest((select max(e.position) from stele.events e), (select max(r.position) from stele.removed_events r), 0)
    into high;
  while low < high loop
    middle := (low + high + 1) / 2;
    select e.recorded_at into at
      from (select e.position, e.recorded_at from stele.events e
            union all
            select r.position, r.recorded_at from stele.removed_events r) e
     where e.position <= middle order by e.position desc limit 1;
    if at is null or at <= p_at then low := middle; else high := middle - 1; end if;
  end loop;
  return low;
end $$;
