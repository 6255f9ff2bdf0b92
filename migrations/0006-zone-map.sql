-- The zone map: between which times the events of each stretch of the log lie.
--
-- Times are the clients' word, so a range of time is no range of positions; but times and positions go hand in hand,
-- more or less. A read of a range of time in order of position walks the zones that overlap the range and looks at
-- nothing else. It needs no sort, whatever share of the log the range covers, and late, early and imported events
-- only make single zones wide.
--
-- A zone is noted when the events behind it begin, in the transaction of their append. The last zone is open: it
-- ends at the highest number there is and may hold any time, so that the zones cover every event at every moment,
-- also those that were stored by other means than an append. Bounds stay true when events are removed.

create table stele.zone_map (
  first_position bigint primary key,
  last_position bigint not null check (last_position >= first_position),
  first_time timestamptz not null,
  last_time timestamptz not null
);
comment on table stele.zone_map is 'Stretches of the log and the times of their events. The last one is open.';

insert into stele.zone_map values (0, 9223372036854775807, '-infinity', 'infinity');

-- Closes the open zone, cut to size, and opens the next. The caller holds the lock.
create function stele.note_zones() returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  size constant bigint := 2048;
  v_open bigint;
  v_next bigint;
begin
  select z.first_position into strict v_open from stele.zone_map z order by z.first_position desc limit 1;
  select e.position / size * size into v_next from stele.events e order by e.position desc limit 1;
  if v_next > v_open then
    insert into stele.zone_map as m (first_position, last_position, first_time, last_time)
      select coalesce(lag(z.last) over (order by z.last) + 1, v_open), z.last, z.first_time, z.last_time
        from (select (e.position / size + 1) * size - 1 as last, min(e.timestamp) as first_time, max(e.timestamp) as last_time
                from (select o.position, o.timestamp from stele.events o
                       where o.position >= v_open and o.position < v_next order by o.position offset 0) e
               group by 1
              union all
              select 9223372036854775807, '-infinity', 'infinity') z
      on conflict (first_position) do update
        set last_position = excluded.last_position, first_time = excluded.first_time, last_time = excluded.last_time;
  end if;
end $$;
revoke all on function stele.note_zones from public;

-- A zone that is too narrow hides events.
create trigger immutable_row before delete on stele.zone_map
  for each row execute function stele.refuse_change();
create trigger immutable_closed_row before update on stele.zone_map
  for each row when (old.last_position < 9223372036854775807) execute function stele.refuse_change();
create trigger immutable_table before truncate on stele.zone_map execute function stele.refuse_change();
