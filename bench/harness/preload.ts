import { readdirSync } from 'node:fs';
import { pino } from 'pino';
import { createMetrics } from '../../src/metrics.ts';
import { type NewEvent, readEvent } from '../../src/model/event.ts';
import { openBackend } from '../../src/store/open.ts';
import type { AppendRequest } from '../../src/store/store.ts';
import { eventSource } from './events.ts';

/** Events in one call of the store. */
const CALL_EVENTS = 2000;

/** Stores events through the store's own append: nothing is written past it. Makes the schema where it is missing. */
export async function preload(url: string, count: number): Promise<void> {
  const backend = await openBackend(url, { metrics: createMetrics(), logger: pino({ level: 'warn' }) });
  await backend.start();
  try {
    const source = eventSource(1);
    for (let stored = 0; stored < count; ) {
      const events: NewEvent[] = [];
      while (events.length < CALL_EVENTS && stored + events.length < count) {
        events.push(readEvent(JSON.stringify(source.next()), { eventIds: 'uuidv7' }));
      }
      const request: AppendRequest = { events, checks: [], writes: [] };
      const { verdicts } = await backend.append([request]);
      if (verdicts[0]?.kind !== 'stored') throw new Error('The events of the benchmark were refused.');
      stored += events.length;
    }
  } finally {
    await backend.stop();
  }
}

/** Waits until the store has compressed every segment that it has sealed. */
export async function compressed(folder: string): Promise<void> {
  const backend = await openBackend(`file:${folder}`, {
    metrics: createMetrics(),
    logger: pino({ level: 'warn' }),
  });
  await backend.start();
  try {
    const plain = () => readdirSync(folder).filter((name) => name.endsWith('.jsonl')).length;
    while (plain() > 1) await new Promise((resolve) => setTimeout(resolve, 200));
  } finally {
    await backend.stop();
  }
}
