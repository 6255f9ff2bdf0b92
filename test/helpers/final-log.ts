import type { LoggedEvent } from './audit-index.ts';
import type { Caller } from './caller.ts';

/** The whole log as one answer in NDJSON, ascending. */
export async function readLog(caller: Caller, origin: string): Promise<LoggedEvent[]> {
  const answer = await caller.call(origin, '/v1/events', { headers: { accept: 'application/x-ndjson' } });
  if (answer.status !== 200) throw new Error(`the log cannot be read: ${answer.status} ${answer.text}`);
  return answer.text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LoggedEvent);
}

/** The same log page by page, to be compared: two ways of reading that share little code. */
export async function readLogByPages(caller: Caller, origin: string): Promise<LoggedEvent[]> {
  const log: LoggedEvent[] = [];
  let path = '/v1/events?limit=1000';
  for (;;) {
    const answer = await caller.call(origin, path);
    if (answer.status !== 200) throw new Error(`the log cannot be read: ${answer.status} ${answer.text}`);
    const { events, next } = JSON.parse(answer.text) as { events: LoggedEvent[]; next: string | null };
    log.push(...events);
    if (next === null) return log;
    path = `/v1/events?limit=1000&cursor=${encodeURIComponent(next)}`;
  }
}
