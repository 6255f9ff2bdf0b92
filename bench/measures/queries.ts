import { Connection } from '../harness/connection.ts';
import { type BenchEvent, eventSource } from '../harness/events.ts';
import { quantile } from '../harness/rounds.ts';
import type { Lab } from '../lab.ts';
import type { Finding } from '../rows.ts';

/** One question, asked for a value drawn anew each time: of a rare, a middling and a frequent event. */
interface Question {
  readonly name: string;
  readonly path?: string;
  readonly body: (event: BenchEvent) => Record<string, unknown>;
}

const PAGE = { limit: 100 };
const SAMPLES = 199;
const NEVER_MEET = 'two frequent tags that never meet';

/**
 * p95 of every way to ask, one client, pages of 100. The value of the row is the slowest of them; the JSON file
 * has them all.
 */
export async function measureQueries(lab: Lab): Promise<Finding[]> {
  const { events, rounds } = lab.scale;
  const { port } = await lab.start('stele', await lab.database({ events }));
  const connection = await Connection.open(port);
  const ids = await someIds(connection, events);
  const samples = sampleLog(events);
  const p95Ms: Record<string, number> = {};
  const p50Ms: Record<string, number> = {};
  for (const question of listQuestions({ events, ids })) {
    const latencies = await ask(connection, question, { samples, times: 40 * rounds });
    p95Ms[question.name] = round(quantile(latencies, 0.95));
    p50Ms[question.name] = round(quantile(latencies, 0.5));
  }
  connection.close();
  const slowest = Object.entries(p95Ms)
    .filter(([name]) => name !== NEVER_MEET)
    .reduce((worst, entry) => (entry[1] > worst[1] ? entry : worst));
  return [{ row: 'queries', value: slowest[1], figures: { slowest: slowest[0], p95Ms, p50Ms } }];
}

/** Events from all over the log that every database here is filled with. */
function sampleLog(events: number): BenchEvent[] {
  const source = eventSource(1);
  const samples: BenchEvent[] = [];
  for (let position = 1; position <= events; position += 1) {
    const event = source.next();
    if (position % Math.ceil(events / SAMPLES) === 0) samples.push(event);
  }
  return samples;
}

async function ask(
  connection: Connection,
  question: Question,
  { samples, times }: { samples: readonly BenchEvent[]; times: number },
): Promise<number[]> {
  const latencies: number[] = [];
  for (let turn = 0; turn < times + 5; turn += 1) {
    const sample = samples[(turn * 37) % samples.length] as BenchEvent;
    const body = JSON.stringify(question.body(sample));
    const startedMs = performance.now();
    const answer = await connection.post(question.path ?? '/v1/events/query', body);
    if (turn >= 5) latencies.push(performance.now() - startedMs);
    if (answer.status !== 200)
      throw new Error(`${question.name} was answered with ${answer.status}: ${answer.body}`);
  }
  return latencies;
}

function listQuestions({ events, ids }: { events: number; ids: readonly string[] }): Question[] {
  let turn = 0;
  const place = () => {
    turn += 1;
    return Math.floor((((turn * 7919) % 1000) / 1000) * events);
  };
  const tag = (key: string) => (event: BenchEvent) => event.tags[key] ?? '1';
  const meta = (key: string) => (event: BenchEvent) => event.metadata[key] ?? `none-${turn}`;
  const soon = (event: BenchEvent, hours: number) =>
    new Date(Date.parse(event.timestamp) + hours * 3_600_000).toISOString();
  const members: Record<string, (event: BenchEvent) => Record<string, unknown>> = {
    everything: () => ({}),
    eventIds: () => ({ eventIds: [ids[place() % ids.length]] }),
    'eventIds, 100 of them': () => ({ eventIds: ids.slice(0, 100) }),
    eventTypes: (event) => ({ eventTypes: [event.type] }),
    'eventTypes, rare': () => ({ eventTypes: ['PLATFORM.RATE_LIMITED'] }),
    'eventTypes, wildcard': () => ({ eventTypes: ['GATE.*'] }),
    issueIds: (event) => ({ issueIds: [tag('issueId')(event)] }),
    prIds: (event) => ({ prIds: [tag('prId')(event)] }),
    userIds: (event) => ({ userIds: [tag('userId')(event)] }),
    'userIds, the busiest': () => ({ userIds: ['u-0'] }),
    providers: (event) => ({ providers: [tag('provider')(event)] }),
    platforms: (event) => ({ platforms: [tag('platform')(event)] }),
    correlationIds: (event) => ({ correlationIds: [meta('correlationId')(event)] }),
    causationIds: (event) => ({ causationIds: [meta('causationId')(event)] }),
    actorIds: (event) => ({ actorIds: [meta('actorId')(event)] }),
    sources: (event) => ({ sources: [meta('source')(event)] }),
    'tags, one': (event) => ({ tags: { repository: tag('repository')(event) } }),
    'tags, all four of an event': (event) => ({ tags: event.tags }),
    'startTime, endTime: an hour': (event) => ({ startTime: event.timestamp, endTime: soon(event, 1) }),
    'startTime alone': (event) => ({ startTime: event.timestamp }),
    'endTime alone': (event) => ({ endTime: event.timestamp }),
    'after alone': () => ({ after: place() }),
    'before alone': () => ({ before: place() + 2 }),
    'after, before: a thousand positions': () => {
      const after = place();
      return { after, before: after + 1000 };
    },
    'items: two, types and tags': (event) => ({
      items: [
        { types: [event.type], tags: { userId: tag('userId')(event) } },
        { types: ['WORKFLOW.STARTED'], tags: { repository: tag('repository')(event) } },
      ],
    }),
    'frequent and rare tag': (event) => ({ providers: ['anthropic'], issueIds: [tag('issueId')(event)] }),
    'two frequent tags': (event) => ({
      providers: ['anthropic'],
      tags: { repository: tag('repository')(event) },
    }),
    'frequent tag and type': (event) => ({ userIds: [tag('userId')(event)], eventTypes: [event.type] }),
    'frequent tag and a day': (event) => ({
      providers: ['anthropic'],
      startTime: event.timestamp,
      endTime: soon(event, 24),
    }),
    'type and a day': (event) => ({
      eventTypes: [event.type],
      startTime: event.timestamp,
      endTime: soon(event, 24),
    }),
    // All of both has to be looked at to find nothing. Measured, but no question that the row is about.
    [NEVER_MEET]: () => ({ providers: ['anthropic'], platforms: ['github'] }),
  };
  const pages = Object.entries(members).map(([name, body]) => ({
    name,
    body: (event: BenchEvent) => ({ ...body(event), ...PAGE }),
  }));
  const orders = ['position', 'timestamp', 'type', 'eventId'].flatMap((orderBy) =>
    ['asc', 'desc'].flatMap((orderDirection) => [
      { name: `order ${orderBy} ${orderDirection}`, body: () => ({ orderBy, orderDirection, ...PAGE }) },
      {
        name: `order ${orderBy} ${orderDirection}, one tag`,
        body: (event: BenchEvent) => ({
          tags: { userId: tag('userId')(event) },
          orderBy,
          orderDirection,
          ...PAGE,
        }),
      },
    ]),
  );
  const one = (event: BenchEvent) => ({ tags: { userId: tag('userId')(event) } });
  return [
    ...pages,
    ...orders,
    { name: 'count of one tag', path: '/v1/events/count', body: one },
    {
      name: 'count of a rare tag',
      path: '/v1/events/count',
      body: (event) => ({ issueIds: [tag('issueId')(event)] }),
    },
    {
      name: 'aggregate of one tag by type',
      path: '/v1/events/aggregate',
      body: (event) => ({ filter: one(event), groupBy: ['type'] }),
    },
    {
      name: 'aggregate of one tag by day',
      path: '/v1/events/aggregate',
      body: (event) => ({ filter: one(event), groupBy: ['day'] }),
    },
  ];
}

async function someIds(connection: Connection, events: number): Promise<string[]> {
  const ids: string[] = [];
  for (let page = 0; page < 10; page += 1) {
    const after = Math.floor((events * page) / 10);
    const { body } = await connection.post('/v1/events/query', JSON.stringify({ after, limit: 100 }));
    for (const { id } of (JSON.parse(body) as { events: { id: string }[] }).events) ids.push(id);
  }
  return ids;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
