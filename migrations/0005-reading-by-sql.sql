-- The log as people want to see it in psql and reporting tools. The service itself does not use this view.

create view stele.event_log as
  select e.position, e.id, t.type, e.timestamp, e.recorded_at,
         (b.members ->> 'version')::bigint as version,
         b.members -> 'tags' as tags,
         b.members -> 'metadata' as metadata,
         b.members -> 'data' as data
    from stele.events e
    join stele.types t on t.id = e.type
    cross join lateral (select ('{' || e.body || '}')::jsonb as members) b;
