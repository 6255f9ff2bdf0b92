import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { EVERYTHING } from '../../../src/model/filter.ts';
import { verifyFiles } from '../../../src/store/file/verify.ts';
import { readAll } from '../../helpers/reading.ts';
import { decide, event } from '../../helpers/requests.ts';
import { open } from './stage.ts';

const WRITER = fileURLToPath(new URL('./writer-process.ts', import.meta.url));
const PARAMETERS = '?maxSize=4096&maxMemorySize=8192';

/** What all lives of the writer were told. */
export interface Ledger {
  readonly stored: Map<string, number>;
  readonly refused: Set<string>;
}

interface Life {
  readonly said: string;
  readonly code: number | null;
}

/** Runs a writer to its end or to the kill, and gives what it said. */
export async function live(
  where: string,
  {
    requests,
    life,
    through = [],
    killAfterMs,
  }: { requests: number; life: number; through?: string[]; killAfterMs?: number },
): Promise<Life> {
  const node = [
    process.execPath,
    '--import=tsx',
    WRITER,
    `file:${where}${PARAMETERS}`,
    `${requests}`,
    `${life}`,
  ];
  const [program = '', ...argv] = [...through, ...node];
  const child = spawn(program, argv, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' },
  });
  let said = '';
  child.stdout.on('data', (bytes: Buffer) => {
    // The clock of the kill begins with the first answer: most of a start is loading.
    if (said === '' && killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    said += bytes.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { said, code };
}

/** Enters what a life was told. */
export function note(ledger: Ledger, said: string): void {
  // The last line may have been cut by the kill.
  for (const line of said.split('\n').slice(0, -1)) {
    const [mark, ...rest] = line.split(' ');
    if (mark === '+') {
      const [first, ...ids] = rest;
      for (const [part, id] of ids.entries()) ledger.stored.set(id, Number(first) + part);
    }
    if (mark === '-') for (const id of rest) ledger.refused.add(id);
  }
}

/** Everything acknowledged is there in its place, requests are whole, positions have no gaps, nothing refused is there. */
export async function audit(t: Test, where: string, ledger: Ledger, what: string): Promise<unknown> {
  const backend = await open(where, PARAMETERS);
  const { checks } = await backend.health();
  if (checks['file']?.ok !== true) t.fail(`${what}: ${checks['file']?.detail}`);
  const events = await readAll(backend, EVERYTHING);
  const byId = new Map(events.map((one) => [one.id, one]));
  for (const [index, { position }] of events.entries()) {
    if (position !== index + 1) return t.fail(`${what}: position ${position} is number ${index + 1}`);
  }
  for (const [id, position] of ledger.stored) {
    if (byId.get(id)?.position !== position)
      return t.fail(`${what}: ${id} was stored at ${position} and is gone`);
  }
  for (const id of ledger.refused) if (byId.has(id)) return t.fail(`${what}: ${id} was refused and is there`);
  for (let index = 0; index < events.length; ) {
    const { data } = JSON.parse(`{${events[index]?.body}}`) as { data: { part?: number; size?: number } };
    if (data.size === undefined) {
      index += 1;
      continue;
    }
    for (let part = 0; part < data.size; part += 1) {
      const text = events[index + part]?.body ?? '';
      if (!text.includes(`"part":${part},"size":${data.size}`))
        return t.fail(`${what}: a request is torn at ${index + 1}`);
    }
    index += data.size;
  }
  const verdict = await decide(backend, { events: [event()] });
  if (verdict.kind !== 'stored') t.fail(`${what}: it takes no more writes`);
  await backend.stop();
  const findings = await verifyFiles(where);
  return findings.length === 0 || t.fail(`${what}: ${JSON.stringify(findings[0])}`);
}
