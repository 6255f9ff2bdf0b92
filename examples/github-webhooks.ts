import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { type Client, createClient, type NewEvent, SteleError } from '../src/client/index.ts';

/**
 * The real payloads of GitHub webhooks that the npm package @octokit/webhooks-examples collects, as events.
 *
 *   npx tsx examples/github-webhooks.ts                               NDJSON on stdout, for `stele append`
 *   npx tsx examples/github-webhooks.ts --url http://127.0.0.1:7373   stores them; any number of times, once
 */
export interface Delivery {
  /** Where the payload was sent from: github.com, or a release of GitHub Enterprise Server. */
  readonly source: string;
  /** The name of the webhook event, GitHub's header `X-GitHub-Event`. */
  readonly name: string;
  readonly payload: Payload;
}

type Payload = { readonly [member: string]: unknown };

export const SOURCES = ['api.github.com', 'ghes-31', 'ghes-32', 'ghes-33', 'ghes-34', 'ghes-35'] as const;

/**
 * Every payload of the collection, none of them twice, in the order in which they happened.
 *
 * @throws Error when the file holds a number that JSON.parse would change: what is loaded would not be what GitHub
 *   sent.
 */
export function readDeliveries(sources: readonly string[] = SOURCES): Delivery[] {
  const require = createRequire(import.meta.url);
  const deliveries = sources.flatMap((source) => {
    const text = readFileSync(require.resolve(`@octokit/webhooks-examples/${source}/index.json`), 'utf8');
    const changed = changedNumbers(text);
    if (changed.length > 0) throw new Error(`${source}: JavaScript cannot hold ${changed.join(', ')}`);
    const definitions: { name: string; examples: Payload[] }[] = JSON.parse(text);
    return definitions.flatMap(({ name, examples }) =>
      examples.map((payload) => ({ source, name, payload })),
    );
  });
  // A payload that is listed twice is one delivery: it gets one id.
  const byId = new Map(deliveries.map((delivery) => [toEvent(delivery).id, delivery]));
  return [...byId.values()].sort((a, b) => occurredAtMs(a.payload) - occurredAtMs(b.payload));
}

/** The numbers in a JSON text that would come out of JSON.parse as others. */
export function changedNumbers(text: string): string[] {
  const numbers = text.replace(/"(?:[^"\\]|\\.)*"/g, '').match(/-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g) ?? [];
  return numbers.filter((token) => String(Number(token)) !== token && !/^-?\d+\.\d*0$|^-0$/.test(token));
}

/**
 * One delivery as an event. The id is made of the payload, so that loading it again stores nothing: a UUID of
 * version 7 with the time of the payload, and a hash in place of what is random in others.
 */
export function toEvent({ source, name, payload }: Delivery): NewEvent & { readonly id: string } {
  const atMs = occurredAtMs(payload);
  const sender = memberOf(payload, 'sender');
  return {
    id: eventIdOf(atMs, JSON.stringify([source, name, payload])),
    type: typeOf(name, payload['action']),
    // Without a time in the payload nobody knows when it happened; then the time of recording has to do.
    ...(atMs === 0 ? {} : { timestamp: new Date(atMs).toISOString() }),
    tags: tagsOf(source, payload),
    metadata: {
      eventSource: 'plugin',
      source,
      sourceType: 'integration',
      ...(sender === undefined
        ? {}
        : { actorType: textOf(sender['type']) ?? 'User', actorId: textOf(sender['id']) }),
    },
    data: payload,
  };
}

/** `issues` and `opened` make `GITHUB.ISSUES.OPENED`; events without an action have none. */
function typeOf(name: string, action: unknown): string {
  const words = typeof action === 'string' ? ['github', name, action] : ['github', name];
  return words.map((word) => word.toUpperCase().replace(/[^A-Z0-9]/g, '_')).join('.');
}

/**
 * What the events are found by. Numbers of issues and pull requests count within a repository, so the tags name
 * the repository too: a boundary around `issueId:1` alone would be shared by strangers.
 */
function tagsOf(source: string, payload: Payload): Record<string, string | string[]> {
  const repository = textOf(memberOf(payload, 'repository')?.['full_name']);
  const inRepository = (number: unknown) =>
    repository === undefined || typeof number !== 'number' ? undefined : `${repository}#${number}`;
  const issue = memberOf(payload, 'issue');
  const pullRequests = [memberOf(payload, 'pull_request'), ...builtFrom(payload)].map(
    (one) => one?.['number'],
  );
  // GitHub treats a comment on a pull request as one on an issue with the same number.
  if (issue?.['pull_request'] !== undefined) pullRequests.push(issue['number']);
  const candidates: Record<string, (string | undefined)[]> = {
    platform: ['github'],
    host: [source],
    repository: [repository],
    organization: [textOf(memberOf(payload, 'organization')?.['login'])],
    userId: [textOf(memberOf(payload, 'sender')?.['id'])],
    installationId: [textOf(memberOf(payload, 'installation')?.['id'])],
    issueId: [inRepository(issue?.['number'])],
    prId: pullRequests.map(inRepository),
    commit: [
      textOf(payload['sha']),
      // A push that deletes a branch leads to a commit of nothing but zeros.
      textOf(payload['after'])?.replace(/^0+$/, '') || undefined,
      ...subjects(payload).map((one) => textOf(one['head_sha'])),
    ],
  };
  const tags: Record<string, string | string[]> = {};
  for (const [key, values] of Object.entries(candidates)) {
    const [first, ...others] = new Set(values.filter((value) => value !== undefined));
    if (first !== undefined) tags[key] = others.length === 0 ? first : [first, ...others];
  }
  return tags;
}

/** The runs, suites and jobs that a payload is about. */
function subjects(payload: Payload): Payload[] {
  const names = ['check_run', 'check_suite', 'workflow_run', 'workflow_job', 'merge_group'];
  return names.map((name) => memberOf(payload, name)).filter((subject) => subject !== undefined);
}

/** The pull requests that checks and workflows ran for. */
function builtFrom(payload: Payload): Payload[] {
  return subjects(payload).flatMap((subject) => {
    const list = subject['pull_requests'];
    return Array.isArray(list) ? list.filter(isObject) : [];
  });
}

/** Times at which something had happened, as opposed to `due_on`, `expires_at` and the like. */
const PAST_TIMES = new Set(
  (
    'created_at updated_at pushed_at started_at completed_at submitted_at published_at dismissed_at fixed_at ' +
    'closed_at archived_at withdrawn_at suspended_at starred_at answer_chosen_at run_started_at timestamp'
  ).split(' '),
);

/**
 * When it happened, in milliseconds since 1970. GitHub sends a webhook right after the change, so this is the latest
 * time that the payload knows of; 0 where it knows none.
 */
export function occurredAtMs(value: unknown): number {
  if (Array.isArray(value)) return Math.max(0, ...value.map(occurredAtMs));
  if (!isObject(value)) return 0;
  let latest = 0;
  for (const [name, member] of Object.entries(value)) {
    const ms = PAST_TIMES.has(name) ? timeOf(member) : occurredAtMs(member);
    if (ms > latest) latest = ms;
  }
  return latest;
}

/** RFC 3339 in most payloads, seconds since 1970 in some. */
function timeOf(value: unknown): number {
  if (typeof value === 'number') return value * 1000;
  return typeof value === 'string' ? Date.parse(value) : 0;
}

function eventIdOf(atMs: number, content: string): string {
  const hash = createHash('sha256').update(content).digest('hex');
  const time = atMs.toString(16).padStart(12, '0');
  const variant = ((Number.parseInt(hash[3] ?? '0', 16) & 0b11) | 0b1000).toString(16);
  return [
    time.slice(0, 8),
    time.slice(8),
    `7${hash.slice(0, 3)}`,
    `${variant}${hash.slice(4, 7)}`,
    hash.slice(7, 19),
  ].join('-');
}

function isObject(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function memberOf(payload: Payload, name: string): Payload | undefined {
  const member = payload[name];
  return isObject(member) ? member : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

/** What became of the deliveries. */
export interface Loaded {
  readonly stored: number;
  /** Had been stored before. */
  readonly known: number;
  /** Cannot be stored as they are, and why: which member, and what is wrong with it. */
  readonly refused: readonly {
    readonly type: string;
    readonly id: string;
    readonly code: string;
    readonly reason: string;
  }[];
}

const REFUSALS: readonly string[] = [
  'UNSTORABLE',
  'VALIDATION_FAILED',
  'PAYLOAD_TOO_LARGE',
  'DUPLICATE_EVENT',
];
const BATCH_EVENTS = 100;

/**
 * Appends the deliveries in batches. A batch is all or nothing, so where one is refused its events are sent one by
 * one, to lose none but those at fault.
 */
export async function loadDeliveries(client: Client, deliveries: readonly Delivery[]): Promise<Loaded> {
  let stored = 0;
  let known = 0;
  const refused: { type: string; id: string; code: string; reason: string }[] = [];
  const send = async (events: readonly (NewEvent & { id: string })[]): Promise<void> => {
    try {
      const { replayed } = await client.append(events);
      if (replayed) known += events.length;
      else stored += events.length;
    } catch (error) {
      if (!(error instanceof SteleError) || !REFUSALS.includes(error.code)) throw error;
      const [only, ...others] = events;
      if (only !== undefined && others.length === 0) {
        refused.push({ type: only.type, id: only.id, code: error.code, reason: error.message });
        return;
      }
      for (const event of events) await send([event]);
    }
  };
  for (let from = 0; from < deliveries.length; from += BATCH_EVENTS) {
    await send(deliveries.slice(from, from + BATCH_EVENTS).map(toEvent));
  }
  return { stored, known, refused };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { url: { type: 'string' }, key: { type: 'string' } } });
  const deliveries = readDeliveries();
  if (values.url === undefined) {
    for (const delivery of deliveries) process.stdout.write(`${JSON.stringify(toEvent(delivery))}\n`);
  } else {
    const { stored, known, refused } = await loadDeliveries(
      createClient({ url: values.url, key: values.key }),
      deliveries,
    );
    for (const { type, id, code, reason } of refused)
      console.error(`refused ${type} ${id}: ${code} ${reason}`);
    console.error(
      `${deliveries.length} deliveries: ${stored} stored, ${known} known, ${refused.length} refused`,
    );
    if (refused.length > 0) process.exitCode = 1;
  }
}
