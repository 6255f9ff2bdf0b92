import { TYPES } from '../harness/events.ts';
import { interleave, medianRatio } from '../harness/rounds.ts';
import type { Server } from '../harness/servers.ts';
import type { Lab } from '../lab.ts';
import type { Finding } from '../rows.ts';
import { cpuOf, drivePost, rates, refuseErrors } from './appends.ts';

/** As people write them: bounds, a nested object, a list, a pattern, nothing that is not said. */
const SCHEMA = {
  type: 'object',
  required: ['title', 'branch', 'durationMs', 'cost'],
  additionalProperties: false,
  properties: {
    title: { type: 'string', minLength: 1, maxLength: 200 },
    branch: { type: 'string', pattern: '^[a-z]+/' },
    durationMs: { type: 'integer', minimum: 0 },
    cost: {
      type: 'object',
      required: ['inputTokens', 'outputTokens'],
      properties: {
        inputTokens: { type: 'integer', minimum: 0 },
        outputTokens: { type: 'integer', minimum: 0 },
      },
    },
    labels: { type: 'array', items: { type: 'string' }, maxItems: 20 },
    note: { type: 'string' },
    attempt: { type: 'integer', minimum: 0, maximum: 9 },
    final: { type: 'boolean' },
  },
};

/** Many issues, as in `conditional`: appends of one batch seldom have the same. */
const BODIES = 20_000;

/**
 * Single appends of types with a schema that is enforced and a lifecycle, beside the same service on an equal log where
 * nothing is registered.
 */
export async function measureRegistry(lab: Lab): Promise<Finding[]> {
  const { turns, seconds, events } = lab.scale;
  const bodies = lab.bodies(BODIES, (next) => {
    const event = next();
    const { issueId = event.tags['prId'] ?? '', ...tags } = event.tags;
    return JSON.stringify({ ...event, tags: { issueId, ...tags } });
  });
  const registered = await lab.start('stele', await lab.database({ events }));
  const free = await lab.start('stele', await lab.database({ events }));
  await register(registered);
  const drive = (server: Server, length: number) => () =>
    drivePost(lab, { server, path: '/v1/events', bodies, seconds: length });
  for (const server of [registered, free]) await drive(server, seconds)();
  const results = await interleave(turns, {
    registered: drive(registered, seconds),
    free: drive(free, seconds),
  });
  refuseErrors(results);
  return [
    {
      row: 'registry',
      value: medianRatio(rates(results.registered), rates(results.free)),
      figures: {
        perSecond: rates(results.registered),
        unregisteredPerSecond: rates(results.free),
        cpuUs: cpuOf(results.registered),
        unregisteredCpuUs: cpuOf(results.free),
      },
    },
  ];
}

/** A schema for each type, and a lifecycle in which every type may follow every other: bodies come in any order. */
async function register(server: Server): Promise<void> {
  for (const type of TYPES) await send(server, 'POST', `/v1/types/${type}/versions`, { schema: SCHEMA });
  const transitions = Object.fromEntries(['', ...TYPES].map((type) => [type, TYPES]));
  await send(server, 'PUT', '/v1/rules/issue-lifecycle', { kind: 'lifecycle', tag: 'issueId', transitions });
}

async function send(server: Server, method: string, path: string, body: object): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path} was answered ${answer.status}: ${await answer.text()}`);
}
