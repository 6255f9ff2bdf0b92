import fc from 'fast-check';
import { json, jsonObject, quoted, text } from './texts.ts';

/** Requests built from the texts: events and filters, right, wrong and nearly right. */
const uuid = fc.oneof(
  { weight: 10, arbitrary: fc.uuid({ version: 7 }).map((id) => JSON.stringify(id)) },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.uuid({ version: 4 }).map((id) => JSON.stringify(id)),
      fc.uuid({ version: 7 }).map((id) => JSON.stringify(id.toUpperCase())),
      json,
    ),
  },
);

const type = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,20}$/).map((name) => JSON.stringify(name)),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"$stele.note"',
      '""',
      '"A B"',
      `"${'T'.repeat(256)}"`,
      '"É"',
      '5',
      'null',
      '["A"]',
    ),
  },
);

const time = fc.oneof(
  {
    weight: 10,
    arbitrary: fc
      .tuple(
        fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2200-01-01') }),
        fc.nat(6),
        fc.integer(),
      )
      .map(([date, digits, seed]) => {
        const fraction =
          digits === 0 ? '' : `.${String(Math.abs(seed) % 10 ** digits).padStart(digits, '0')}`;
        return `"${date.toISOString().slice(0, 19)}${fraction}${['Z', '+05:30', '-11:00'][Math.abs(seed) % 3]}"`;
      }),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '"2026-11-21T09:30:00.1234567Z"',
      '"2026-02-30T00:00:00Z"',
      '"2026-11-21T24:00:00Z"',
      '"2026-11-21T09:30:60Z"',
      '"2026-11-21 09:30:00Z"',
      '"2026-11-21T09:30:00"',
      '"0000-01-01T00:00:00Z"',
      '"0001-01-01T00:00:00+01:00"',
      '"9999-12-31T23:59:59.999999-01:00"',
      '"+010000-01-01T00:00:00Z"',
      '"now"',
      '1732181400000',
      'null',
    ),
  },
);

const version = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 1e9 }).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '0',
      '-1',
      '1.5',
      '"1"',
      'null',
      '1e3',
      '1.0',
      '9007199254740991',
      '9007199254740992',
      'true',
    ),
  },
);

const tagValue = fc.oneof(
  { weight: 10, arbitrary: text.map((value) => JSON.stringify(value.slice(0, 40) || '-')) },
  {
    weight: 4,
    arbitrary: fc
      .array(
        text.map((value) => value.slice(0, 9) || '-'),
        { minLength: 1, maxLength: 4 },
      )
      .map((list) => JSON.stringify(list)),
  },
  {
    weight: 1,
    arbitrary: fc.oneof(
      json,
      fc.constantFrom(
        '""',
        '[]',
        '5',
        'null',
        'true',
        JSON.stringify('v'.repeat(257)),
        JSON.stringify('😀'.repeat(256)),
        JSON.stringify('😀'.repeat(257)),
      ),
    ),
  },
);

export const tagKey = fc.oneof(
  { weight: 20, arbitrary: fc.stringMatching(/^[A-Za-z0-9_.-]{1,12}$/) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', 'a b', 'k:v', 'é', 'k'.repeat(65), '__proto__', 'constructor', '$x'),
  },
);

const tags = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .array(fc.tuple(tagKey, tagValue), { maxLength: 5 })
      .map((pairs) => `{${pairs.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`),
  },
  { weight: 1, arbitrary: json },
);

const metadataMember = fc.constantFrom(
  'workflowVersion',
  'eventSource',
  'correlationId',
  'causationId',
  'actorType',
  'actorId',
  'source',
  'sourceType',
  'traceparent',
  'anything',
);

const metadata = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .uniqueArray(
        fc.tuple(metadataMember, fc.oneof({ weight: 6, arbitrary: quoted }, { weight: 1, arbitrary: json })),
        {
          maxLength: 4,
          selector: ([name]) => name,
        },
      )
      .map(
        (members) =>
          `{${members.map(([name, value]) => `"${name}":${name === 'eventSource' ? '"plugin"' : value}`).join(',')}}`,
      ),
  },
  { weight: 1, arbitrary: json },
);

/** Members of an event, each there or not, in any order, sometimes with one that does not belong. */
export const event: fc.Arbitrary<string> = fc
  .record(
    {
      id: uuid,
      type,
      timestamp: time,
      version,
      tags,
      metadata,
      data: fc.oneof({ weight: 30, arbitrary: jsonObject }, { weight: 1, arbitrary: json }),
    },
    { requiredKeys: ['type', 'data'] },
  )
  .chain((members) =>
    fc
      .tuple(
        fc.shuffledSubarray(Object.entries(members), { minLength: Object.keys(members).length }),
        fc.oneof(
          { weight: 40, arbitrary: fc.constant('') },
          { weight: 1, arbitrary: fc.constantFrom(',"position":1', ',"extra":null', ',"Data":{}') },
        ),
      )
      .map(
        ([entries, extra]) => `{${entries.map(([name, value]) => `"${name}":${value}`).join(',')}${extra}}`,
      ),
  );

/** A batch of events, with conditions and other members that mostly fit. */
export const batch: fc.Arbitrary<string> = fc
  .tuple(
    fc.array(event, { minLength: 1, maxLength: 3 }),
    fc.option(fc.array(fc.tuple(query(), fc.option(position())), { maxLength: 3 })),
  )
  .map(([events, conditions]) => {
    const guards = conditions?.map(
      ([filter, after]) => `{"failIfEventsMatch":${filter}${after === null ? '' : `,"after":${after}`}}`,
    );
    return `{"events":[${events.join(',')}]${guards === undefined ? '' : `,"conditions":[${guards.join(',')}]`}}`;
  });

function position(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 10, arbitrary: fc.nat(5000).map(String) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '-1',
        '1.5',
        '"3"',
        'null',
        '1e3',
        '9007199254740991',
        '9007199254740993',
        '1e400',
      ),
    },
  );
}

export function query(): fc.Arbitrary<string> {
  const item = fc.oneof(
    {
      weight: 10,
      arbitrary: fc
        .record(
          { types: fc.array(type, { maxLength: 3 }).map((list) => `[${list.join(',')}]`), tags },
          { requiredKeys: [] },
        )
        .map(
          (sides) =>
            `{${Object.entries(sides)
              .map(([name, value]) => `"${name}":${value}`)
              .join(',')}}`,
        ),
    },
    { weight: 1, arbitrary: json },
  );
  return fc.oneof(
    {
      weight: 10,
      arbitrary: fc.array(item, { maxLength: 3 }).map((items) => `{"items":[${items.join(',')}]}`),
    },
    { weight: 1, arbitrary: fc.constant('{}') },
  );
}

const values = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.array(quoted, { minLength: 1, maxLength: 3 }).map((list) => `[${list.join(',')}]`),
  },
  { weight: 1, arbitrary: json },
);

/** Members of a read, each mostly of the right kind. */
export const FILTER_MEMBERS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  items: query().map((whole) => whole.slice('{"items":'.length, -1) || '[]'),
  eventIds: fc.oneof(
    fc.array(uuid, { minLength: 1, maxLength: 3 }).map((list) => `[${list.join(',')}]`),
    values,
  ),
  eventTypes: fc.oneof(
    fc
      .array(fc.constantFrom('"A"', '"ISSUE.*"', '"*"', '"a*b"', '"$stele.*"', '""', '"%"', '"_"'), {
        maxLength: 3,
      })
      .map((list) => `[${list.join(',')}]`),
    values,
  ),
  issueIds: values,
  prIds: values,
  userIds: values,
  providers: values,
  platforms: values,
  correlationIds: values,
  causationIds: values,
  actorIds: values,
  sources: values,
  tags,
  startTime: time,
  endTime: time,
  after: position(),
  before: position(),
  orderBy: fc.constantFrom('"position"', '"timestamp"', '"type"', '"eventId"', '"id; drop"', '5', 'null'),
  orderDirection: fc.constantFrom('"asc"', '"desc"', '"ASC"', 'null'),
  limit: fc.constantFrom('1', '2', '1000', '1001', '0', '-1', '"5"', '1.5', '1e2', 'null'),
  offset: fc.constantFrom('0', '1', '10000', '10001', '-1', '"5"', 'null'),
  cursor: fc.oneof(
    quoted,
    fc.base64String().map((value) => JSON.stringify(value)),
  ),
};

/** One time in twenty something, else null. */
export function seldom<T>(something: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof({ weight: 19, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: something });
}

/** A body for reads: some members, at times one that does not belong. */
export const filter: fc.Arbitrary<string> = fc
  .tuple(
    fc.record(FILTER_MEMBERS, { requiredKeys: [] }),
    seldom(
      fc.tuple(
        fc.string({ maxLength: 8 }).map((name) => JSON.stringify(name)),
        json,
      ),
    ),
    fc.nat(3),
  )
  .map(([members, extra, keep]) => {
    // All members at once leave nothing to find: keep a few.
    const entries = Object.entries(members).filter((_, at) => (at * 7 + keep) % 4 === 0);
    const all = entries.map(([name, value]) => `"${name}":${value}`);
    if (extra !== null) all.push(`${extra[0]}:${extra[1]}`);
    return `{${all.join(',')}}`;
  });

const urlText = fc.oneof(
  { weight: 2, arbitrary: text.filter((value) => !/\p{Surrogate}/u.test(value)).map(encodeURIComponent) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '%',
      '%zz',
      '%c3',
      '%00',
      '%ed%a0%80',
      '+',
      'a%20b',
      '..%2f..',
      '%25',
      '1,2',
      '[1]',
      '0x10',
      '1e2',
      '007',
    ),
  },
  { weight: 1, arbitrary: json.map((value) => encodeURIComponent(Buffer.from(value).toString('utf8'))) },
);

const parameter = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom(
      ...Object.keys(FILTER_MEMBERS),
      'explain',
      'since',
      'log',
      'dryRun',
      'maxVersion',
      'at',
      'prefix',
      'recordedAt',
    ),
  },
  { weight: 1, arbitrary: urlText },
);

const PATHS = [
  '/v1/events',
  '/v1/events/count',
  '/v1/events/',
  '/v1/events/01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11',
  '/v1/events/01a1fbdd-9b75-7c3e-8a57-2f6f0d0c5b11/causation',
  '/v1/events/{}',
  '/v1/events/{}/causation',
  '/v1/correlations/{}/events',
  '/v1/types',
  '/v1/rules',
  '/v1/rules/{}',
  '/v1/tags',
  '/v1/tags/{}',
  '/v1/head',
  '/v1/info',
  '/v1/stats',
  '/v1/snapshots/{}',
  '/v1/snapshots/{}/versions',
  '/v1/snapshots/{}/{}',
  '/v1/events/query',
  '/v1/events/batch',
  '/problems/{}',
  '/readyz',
  '/metrics',
  '/{}',
  '/v1/{}/{}',
  '//',
] as const;

/** A path with its query string, well-formed enough to stand in a request line. */
export const url: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom(...PATHS),
    fc.array(urlText, { minLength: 2, maxLength: 2 }),
    fc.array(fc.tuple(parameter, fc.option(urlText)), { maxLength: 4 }),
  )
  .map(([path, parts, parameters]) => {
    let at = 0;
    const filled = path.replaceAll('{}', () => parts[at++ % 2] ?? '');
    const query = parameters.map(([name, value]) => (value === null ? name : `${name}=${value}`)).join('&');
    return query === '' ? filled : `${filled}?${query}`;
  });

const headerText = fc.oneof(
  fc.string({ maxLength: 40 }).map((value) => value.replace(/[^\t\x20-\x7e]/g, '')),
  fc.constantFrom(
    '',
    '"',
    '""',
    '*',
    '*/*',
    ';;;',
    'q=0',
    '"a',
    'gzip',
    'identity',
    '-1',
    '1e9',
    '\u00ff'.repeat(3),
    'x'.repeat(2000),
  ),
);

const headerName = fc.constantFrom(
  'accept',
  'accept-encoding',
  'authorization',
  'content-type',
  'content-encoding',
  'cookie',
  'expect',
  'idempotency-key',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'last-event-id',
  'origin',
  'prefer',
  'range',
  'traceparent',
  'tracestate',
  'x-forwarded-for',
  'x-http-method-override',
);

export const headers: fc.Arbitrary<Record<string, string>> = fc
  .array(fc.tuple(headerName, headerText), { maxLength: 5 })
  .map((pairs) => Object.fromEntries(pairs));
