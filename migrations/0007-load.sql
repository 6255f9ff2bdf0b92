-- Loading: events that were recorded elsewhere are stored as they are, by copies, restores and archives.
--
-- One call, one statement, one commit, under the lock of the append. Positions are given and have to stand above the
-- head; gaps stay gaps. Documents take the place of those that are there. Arrays run over the events; p_term_event
-- counts them from 1. p_added is null where nothing was added to any of them. p_removed tells those that were removed where they come from; without one it is null. Their index
-- was dropped where the type is 0. p_documents is a JSON array of {collection, key, revision, body, updated_at}.

create function stele.load(
  p_position bigint[],
  p_recorded timestamptz[],
  p_time timestamptz[],
  p_id uuid[],
  p_type integer[],
  p_part smallint[],
  p_parts smallint[],
  p_sent smallint[],
  p_body text[],
  p_added text[],
  p_term text[],
  p_term_event integer[],
  p_removed boolean[],
  p_documents text
) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_head bigint;
begin
  perform stele.lock_log();
  if cardinality(p_position) > 0 then
    select greatest((select l.position from stele.events l order by l.position desc limit 1),
                    (select l.position from stele.removed_events l order by l.position desc limit 1), 0) into v_head;
    if p_position[1] <= v_head then
      raise exception 'position % does not stand above the head, which is %', p_position[1], v_head
        using errcode = 'ST002';
    end if;
    insert into stele.events (position, recorded_at, timestamp, id, type, part, parts, sent, body, added)
      select e.position, e.recorded, e.at, e.id, e.type, e.part, e.parts, e.sent, e.body, coalesce(e.added, '')
        from unnest(p_position, p_recorded, p_time, p_id, p_type, p_part, p_parts, p_sent, p_body, p_added, p_removed)
             e(position, recorded, at, id, type, part, parts, sent, body, added, removed)
       where e.removed is not true;
    insert into stele.event_ids (id, position)
      select e.id, e.position from unnest(p_id, p_position) e(id, position);
    insert into stele.event_tags (tag, position, type)
      select t.term, p_position[t.event], p_type[t.event] from unnest(p_term, p_term_event) t(term, event)
       where p_removed[t.event] is not true;
    if p_removed is not null then
      insert into stele.removed_events (position, recorded_at, timestamp, id, type, part, parts, sent, terms)
        select e.position, e.recorded, e.at, e.id, nullif(e.type, 0), e.part, e.parts, e.sent,
               coalesce(t.terms, '{}')
          from unnest(p_position, p_recorded, p_time, p_id, p_type, p_part, p_parts, p_sent, p_removed)
               with ordinality e(position, recorded, at, id, type, part, parts, sent, removed, n)
          left join (select u.event, array_agg(u.term) as terms
                       from unnest(p_term, p_term_event) u(term, event) group by 1) t on t.event = e.n
         where e.removed;
      insert into stele.removed_tags (tag, position, type)
        select t.term, p_position[t.event], p_type[t.event] from unnest(p_term, p_term_event) t(term, event)
         where p_removed[t.event];
    end if;
    -- The size of a zone is that of note_zones.
    if v_head / 2048 <> p_position[cardinality(p_position)] / 2048 then perform stele.note_zones(); end if;
  end if;
  if p_documents is not null then
    insert into stele.documents as d (collection, key, revision, body, updated_at)
      select w.collection, w.key, w.revision, w.body, w.updated_at
        from json_to_recordset(p_documents::json)
             w(collection text, key text, revision bigint, body text, updated_at timestamptz)
      on conflict (collection, key) do update
        set revision = excluded.revision, body = excluded.body, updated_at = excluded.updated_at;
  end if;
end $$;

-- Takes over the identity of another log, as long as nothing was recorded under the own one.
create function stele.adopt(p_log uuid) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform stele.lock_log();
  if exists (select from stele.log l where l.log_id = p_log) then return; end if;
  if exists (select from stele.event_ids) or exists (select from stele.documents) then
    raise exception 'the log has a history of its own' using errcode = 'ST003';
  end if;
  update stele.log set log_id = p_log;
end $$;

revoke all on function stele.load, stele.adopt from public;
