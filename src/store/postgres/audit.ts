import { INDEXED_METADATA } from '../../model/event.ts';
import type { VerifyFinding } from '../verify.ts';
import { withClient } from './migrate.ts';
import { parsePostgresUrl } from './options.ts';

/**
 * Compares what PostgreSQL keeps beside the events with the events: the ids that are taken, the rows of the index,
 * the zones. Everything by set, in one snapshot, on all cores; it takes no lock and waits for nobody.
 */
export async function auditPostgres(url: string, findingsMax: number): Promise<VerifyFinding[]> {
  return withClient(parsePostgresUrl(url), async (client, { schema }) => {
    await client.query(`begin isolation level repeatable read read only;
      set local work_mem = '64MB'; set local jit = off; set local search_path = ${schema}, pg_catalog;
      set local timezone = 'UTC'`);
    const findings: VerifyFinding[] = [];
    for (const { text, what } of AUDITS) {
      const { rows } = await client.query<[string, string]>({
        text: `${text} order by 1 limit ${findingsMax - findings.length}`,
        rowMode: 'array',
      });
      for (const [position, detail] of rows)
        findings.push({ position: Number(position), what: what(detail) });
    }
    await client.query('rollback');
    return findings;
  });
}

const metadata = Object.keys(INDEXED_METADATA)
  .map((name) => `('${name}')`)
  .join(', ');

/** The tags that follow from the bodies, as rows of event_tags. */
const EXPECTED = `
  select e.position, t.key || ':' || v.value as tag, e.type
    from events e cross join lateral json_each(('{' || e.body || '}')::json -> 'tags') t
    cross join lateral (
      select t.value #>> '{}' as value where json_typeof(t.value) = 'string'
      union all
      select a.value from json_array_elements_text(
        case when json_typeof(t.value) = 'array' then t.value else '[]' end) a(value)) v
  union all
  select e.position, '$' || m.name || ':' || (('{' || e.body || '}')::json -> 'metadata' ->> m.name), e.type
    from events e cross join (values ${metadata}) m(name)
   where ('{' || e.body || '}')::json -> 'metadata' ->> m.name <> ''`;

const AUDITS: readonly { readonly text: string; what(detail: string): string }[] = [
  {
    text: `select e.position, coalesce(i.position::text, 'none') from events e left join event_ids i on i.id = e.id
            where i.position is distinct from e.position`,
    what: (detail) => `its id is taken by position ${detail}`,
  },
  {
    text: `select i.position, i.id from event_ids i
            where not exists (select from events e where e.position = i.position)
              and not exists (select from removed_events r where r.position = i.position)`,
    what: (id) => `the id ${id} is taken, and there is no event`,
  },
  {
    text: `select position, tag from (${EXPECTED} except select position, tag, type from event_tags) x`,
    what: (tag) => `the index lacks ${tag}`,
  },
  {
    text: `select position, tag from (select position, tag, type from event_tags except (${EXPECTED})) x`,
    what: (tag) => `the index holds ${tag}, which the event does not have`,
  },
  {
    text: `select r.position, coalesce(i.position::text, 'none') from removed_events r left join event_ids i on i.id = r.id
            where i.position is distinct from r.position or exists (select from events e where e.position = r.position)`,
    what: (detail) => `was removed, and its id is taken by position ${detail}, or the event is still there`,
  },
  {
    text: `select position, tag from (
             (select r.position, u.tag, r.type from removed_events r cross join lateral unnest(r.terms) u(tag)
              except select position, tag, type from removed_tags)
             union all
             (select position, tag, type from removed_tags
              except select r.position, u.tag, r.type from removed_events r cross join lateral unnest(r.terms) u(tag))) x`,
    what: (tag) => `was removed, and its index differs in ${tag}`,
  },
  {
    text: `select e.position, e.timestamp::text from events e
             join zone_map z on e.position between z.first_position and z.last_position
            where e.timestamp not between z.first_time and z.last_time`,
    what: (time) => `happened at ${time}, outside of the times of its zone`,
  },
];
