import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * What the programs of both peers share: events out of a file, and callers that append without pause.
 *
 * A peer runs in the process of its callers, as its users run it: nothing is between caller and store.
 */

/** @param {string} file one event a line, as JSON */
export async function readEvents(file) {
  const events = [];
  for await (const line of createInterface({ input: createReadStream(file) })) events.push(JSON.parse(line));
  return events;
}

/**
 * `callers` appends are under way at any time, for a second unmeasured and then for `seconds`.
 *
 * @param {{ callers: number, seconds: number }} load
 * @param {(turn: number) => Promise<boolean>} append answers whether something was stored
 */
export async function drive({ callers, seconds }, append) {
  const startMs = performance.now() + 1000;
  const endMs = startMs + seconds * 1000;
  const latencies = [];
  let turn = 0;
  let succeeded = 0;
  let refused = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (;;) {
        const beganMs = performance.now();
        if (beganMs >= endMs) return;
        const stored = await append(turn++);
        const endedMs = performance.now();
        if (beganMs < startMs || endedMs > endMs) continue;
        if (stored) succeeded += 1;
        else refused += 1;
        latencies.push(endedMs - beganMs);
      }
    }),
  );
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.floor(share * (latencies.length - 1))] ?? 0;
  return { perSecond: succeeded / seconds, succeeded, refused, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** Arguments of every peer: what to do, the database, the file of events, callers, seconds. */
export function readArguments() {
  const [task, url, file, callers, seconds] = process.argv.slice(2);
  return { task, url, file, callers: Number(callers), seconds: Number(seconds) };
}
