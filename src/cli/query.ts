import type { PageOptions } from '../client/index.ts';
import { LIMITS } from '../limits.ts';
import { ORDERS } from '../model/filter.ts';
import { type Arguments, type Command, EXIT, readArguments, UsageError, wholeNumber } from './command.ts';
import { CONNECTION_FLAGS, CONNECTION_HELP, connect } from './connection.ts';
import { ENVELOPE_FLAG, ENVELOPE_HELP, readEnvelope } from './envelope-flag.ts';
import { FILTER_FLAGS, FILTER_HELP, readFilter } from './filter-flags.ts';
import { writeOut } from './terminal.ts';

export const command: Command = {
  summary: 'read events that match a filter',

  help: () => `Usage: stele query [filter] [--limit <n>] [--order-by <order>] [--envelope <name>] [--json]

Writes each event as a line of JSON, all that match and as of the moment of the call.

  --limit <n>                 at most this many events; with --json up to 1000 [100]
  --order-by <order>          ${ORDERS.join(', ')} [position]
  --order-direction <d>       asc, desc [asc]
  --offset <n>                events to skip
  --cursor <cursor>           "next" of a page before
  --json                      one page as one object: {events, next, position}
  --count                     only the number of events

${ENVELOPE_HELP}

${FILTER_HELP}

${CONNECTION_HELP}

Examples:
  stele query --tags issueId:42
  stele query --event-types 'ISSUE.*' --start-time 2026-11-01T00:00:00Z --order-direction desc --limit 10
  stele query --correlation-ids c-1 --json | jq .position
  stele query --issue-ids 42 --envelope cloudevents`,

  async run(argv) {
    const args = readArguments(argv, {
      ...CONNECTION_FLAGS,
      ...FILTER_FLAGS,
      ...ENVELOPE_FLAG,
      limit: 'value',
      'order-by': 'value',
      'order-direction': 'value',
      offset: 'value',
      cursor: 'value',
      json: 'switch',
      count: 'switch',
    });
    const filter = readFilter(args);
    const page = readPage(args);
    const envelope = readEnvelope(args);
    const client = connect(args);
    if (args.has('count')) {
      await writeOut(`${await client.count(filter)}\n`);
      return EXIT.ok;
    }
    if (args.has('json')) {
      const limit = wholeNumber(args, 'limit', { min: 1, max: LIMITS.pageSizeMax });
      const answer = await client.query(filter, { ...page, envelope, limit });
      await writeOut(`${JSON.stringify(answer)}\n`);
      return EXIT.ok;
    }
    const limit = wholeNumber(args, 'limit', { min: 1, max: Number.MAX_SAFE_INTEGER });
    // In order of position everything comes as one stream; a part of it, and other orders, come in pages.
    const isStream = Object.keys(page).length === 0 && (limit ?? Infinity) > LIMITS.pageSizeMax;
    const pageSize = Math.min(limit ?? Infinity, LIMITS.pageSizeMax);
    const events = isStream
      ? client.read(filter, { envelope })
      : flatten(client.pages(filter, { ...page, envelope, limit: pageSize }));
    await writeEvents(events, limit ?? Infinity);
    return EXIT.ok;
  },
};

async function* flatten(
  pages: AsyncIterable<{ readonly events: readonly object[] }>,
): AsyncGenerator<object> {
  for await (const { events } of pages) yield* events;
}

/** One write for many events: a pipe takes 64 KiB at a time, and a system call costs more than an event. */
async function writeEvents(events: AsyncIterable<object>, max: number): Promise<void> {
  let text = '';
  let count = 0;
  for await (const event of events) {
    text += `${JSON.stringify(event)}\n`;
    count += 1;
    if (text.length > 65_536) {
      await writeOut(text);
      text = '';
    }
    if (count >= max) break;
  }
  await writeOut(text);
}

function readPage(args: Arguments): PageOptions {
  const offset = wholeNumber(args, 'offset', { min: 0, max: LIMITS.offsetMax });
  const cursor = args.value('cursor');
  const orderBy = oneOf(args, 'order-by', ORDERS);
  const orderDirection = oneOf(args, 'order-direction', ['asc', 'desc'] as const);
  return {
    ...(orderBy === undefined ? {} : { orderBy }),
    ...(orderDirection === undefined ? {} : { orderDirection }),
    ...(offset === undefined ? {} : { offset }),
    ...(cursor === undefined ? {} : { cursor }),
  };
}

function oneOf<T extends string>(args: Arguments, flag: string, choices: readonly T[]): T | undefined {
  const text = args.value(flag);
  if (text === undefined) return undefined;
  const choice = choices.find((one) => one === text);
  if (choice === undefined)
    throw new UsageError(`--${flag} ${text}: has to be one of ${choices.join(', ')}.`);
  return choice;
}
