import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile } from 'node:fs/promises';
import { EVERYTHING } from '../../../src/model/filter.ts';
import { verifyFiles } from '../../../src/store/file/verify.ts';
import { verifyIndex } from '../../../src/store/file/verify-index.ts';
import { readAll } from '../../helpers/reading.ts';
import { decide, event } from '../../helpers/requests.ts';
import { built } from '../../helpers/service-build.ts';
import { open, openSegment } from './stage.ts';

export interface Load {
  readonly parameters: string;
  /** The most events of a request. */
  readonly most: number;
}

/** So little memory that a few requests rotate, seal, compress and move to SQLite. */
export const SMALL: Load = { parameters: '?maxSize=4096&maxMemorySize=8192', most: 4 };
/** So much that what moves to SQLite is written by the thread. */
export const LARGE: Load = { parameters: '?maxSize=1048576&maxMemorySize=3145728', most: 300 };

/** What all lives of the writer were told. */
export interface Ledger {
  readonly stored: Map<string, number>;
  readonly refused: Set<string>;
}

export function emptyLedger(): Ledger {
  return { stored: new Map(), refused: new Set() };
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
    load = SMALL,
    through = [],
    faultyCall,
    kill,
  }: {
    requests: number;
    life: number;
    load?: Load;
    through?: string[];
    faultyCall?: string;
    /** After so many answers, and some ms of the next. */
    kill?: { readonly answers: number; readonly ms: number };
  },
): Promise<Life> {
  const preload = faultyCall === undefined ? [] : ['--import', built('test/store/file/faulty-calls.ts')];
  const node = [
    process.execPath,
    ...preload,
    built('test/store/file/writer-process.ts'),
    `file:${where}${load.parameters}`,
    `${requests}`,
    `${life}`,
    `${load.most}`,
  ];
  const [program = '', ...argv] = [...through, ...node];
  const child = spawn(program, argv, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      ...process.env,
      // One thread for the files of the log, so that the n-th call is the same one in every run.
      UV_THREADPOOL_SIZE: '1',
      UV_USE_IO_URING: '0',
      ...(faultyCall === undefined ? {} : { STELE_FAULTY_CALL: faultyCall }),
    },
  });
  let said = '';
  let lines = 0;
  child.stdout.on('data', (bytes: Buffer) => {
    for (const byte of bytes) {
      if (byte !== 0x0a) continue;
      // The first line says that it has started.
      if (lines === kill?.answers) setTimeout(() => child.kill('SIGKILL'), kill.ms);
      lines += 1;
    }
    said += bytes.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { said, code };
}

/** Leaves the beginning of a record at the end of the log, as a write does that was cut short. */
export async function tear(where: string): Promise<void> {
  const file = await openSegment(where).catch(() => undefined);
  if (file !== undefined) await appendFile(file, '{"c":"01234567","n":1,"l":400,"o":[0,1,');
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

/**
 * Looks whether everything acknowledged is there in its place, requests are whole and have their document,
 * positions have no gaps, nothing refused is there, the index says what the log does, and the store takes writes. Gives
 * what is wrong.
 */
export async function audit(where: string, ledger: Ledger, load = SMALL): Promise<string[]> {
  const backend = await open(where, load.parameters);
  const faults: string[] = [];
  try {
    const { checks } = await backend.health();
    if (checks['file']?.ok !== true) faults.push(`${checks['file']?.detail}`);
    const events = await readAll(backend, EVERYTHING);
    const byId = new Map(events.map((one) => [one.id, one]));
    const gap = events.findIndex(({ position }, index) => position !== index + 1);
    if (gap >= 0) faults.push(`position ${events[gap]?.position} is number ${gap + 1}`);
    for (const [id, position] of ledger.stored) {
      if (byId.get(id)?.position !== position) faults.push(`${id} was stored at ${position} and is gone`);
    }
    for (const id of ledger.refused) if (byId.has(id)) faults.push(`${id} was refused and is there`);
    let last = '';
    for (let index = 0; index < events.length; ) {
      const { data } = JSON.parse(`{${events[index]?.body}}`) as { data: { part?: number; size?: number } };
      const { size } = data;
      if (size === undefined) {
        index += 1;
        continue;
      }
      last = events[index]?.id ?? '';
      const isWhole = Array.from({ length: size }, (_, part) =>
        events[index + part]?.body.includes(`"part":${part},"size":${size}`),
      ).every((holds) => holds === true);
      if (!isWhole) faults.push(`a request is torn at ${index + 1}`);
      index += size;
    }
    const [document] = await backend.documents({ collection: 'writer', key: 'last', limit: 1 });
    const named = document === undefined ? '' : (JSON.parse(document.body) as { first: string }).first;
    if (named !== last) faults.push(`the document names ${named}, the last request is ${last}`);
    const verdict = await decide(backend, { events: [event()] });
    if (verdict.kind !== 'stored') faults.push('it takes no more writes');
  } catch (error) {
    faults.push(String(error));
  } finally {
    await backend.stop();
  }
  for (const finding of [...(await verifyFiles(where)), ...(await verifyIndex(where))])
    faults.push(JSON.stringify(finding));
  return faults.slice(0, 10);
}
