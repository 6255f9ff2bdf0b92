import pg from 'pg';

/**
 * What the database makes of the migrations, as text: tables with their columns, indexes, constraints and
 * triggers, views, and functions with their rights. Read from the catalogue, so that no pg_dump is needed and the
 * text is the same on every version of PostgreSQL.
 */
const SECTIONS: readonly { title: string; sql: string }[] = [
  {
    title: 'columns',
    sql: `select format('%s.%s %s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                   case when a.attnotnull then ' not null' else '' end,
                   case when d.adbin is not null then ' default ' || pg_get_expr(d.adbin, d.adrelid)
                        when a.attidentity <> '' then ' generated always as identity' else '' end)
            from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
           where c.relnamespace = 'stele'::regnamespace and c.relkind in ('r', 'p', 'v')
             and c.relname !~ '_[0-9]{8}$'
           order by c.relname, a.attnum`,
  },
  {
    title: 'indexes',
    sql: `select pg_get_indexdef(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indrelid
           where c.relnamespace = 'stele'::regnamespace and c.relname !~ '_[0-9]{8}$'
           order by c.relname, 1`,
  },
  {
    title: 'constraints',
    sql: `select format('%s: %s', c.relname, pg_get_constraintdef(k.oid))
            from pg_constraint k join pg_class c on c.oid = k.conrelid
           where c.relnamespace = 'stele'::regnamespace and k.contype in ('c', 'f', 'u')
             and c.relname !~ '_[0-9]{8}$'
           order by 1`,
  },
  {
    title: 'triggers',
    sql: `select pg_get_triggerdef(g.oid) from pg_trigger g join pg_class c on c.oid = g.tgrelid
           where c.relnamespace = 'stele'::regnamespace and (not g.tgisinternal or g.tgparentid <> 0)
           order by c.relname, g.tgname`,
  },
  {
    title: 'functions',
    sql: `select format('%s%s%s', pg_get_functiondef(p.oid),
                   E'\\n-- rights: ', coalesce(regexp_replace(p.proacl::text, 'postgres', 'owner', 'g'), 'default'))
            from pg_proc p where p.pronamespace = 'stele'::regnamespace order by p.proname`,
  },
  {
    title: 'views',
    sql: `select format('%s:%s', c.relname, pg_get_viewdef(c.oid)) from pg_class c
           where c.relnamespace = 'stele'::regnamespace and c.relkind = 'v' order by 1`,
  },
];

export async function dumpSchema(url: string): Promise<string> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const parts: string[] = [];
    for (const { title, sql } of SECTIONS) {
      const { rows } = await client.query<string[]>({ text: sql, rowMode: 'array' });
      parts.push(`== ${title}`, ...rows.map(([line]) => line as string), '');
    }
    return `${parts.join('\n').replace(/[ \t]+$/gm, '')}\n`;
  } finally {
    await client.end();
  }
}
