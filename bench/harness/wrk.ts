import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './paths.ts';

const run = promisify(execFile);
const SCRIPT = path.join(ROOT, 'bench', 'wrk', 'append.lua');

export interface Load {
  readonly port: number;
  readonly path: string;
  /** A file with one request body a line, taken in turn. */
  readonly bodies: string;
  readonly connections: number;
  readonly seconds: number;
  /**
   * Begin at the head of the log, keep the last position seen in an answer, and write it into the next body in place of
   * `AFTER_MARK`.
   */
  readonly followHead?: boolean;
}

export interface LoadResult {
  /** Answers of status 2xx a second. */
  readonly perSecond: number;
  readonly succeeded: number;
  readonly refused: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Twelve characters in a body that the script replaces by a position. */
export const AFTER_MARK = '@@@@@@@@@@@@';

/** Drives the server with wrk, one thread: the machine that this is written for has two cores for everything. */
export async function load(options: Load): Promise<LoadResult> {
  const { stdout } = await run(
    'wrk',
    [
      '--threads=1',
      `--connections=${options.connections}`,
      `--duration=${options.seconds}s`,
      '--timeout=10s',
      `--script=${SCRIPT}`,
      `http://127.0.0.1:${options.port}${options.path}`,
      '--',
      options.bodies,
      ...(options.followHead === true ? ['follow-head', await headOf(options.port)] : ['plain']),
    ],
    { maxBuffer: 1 << 20 },
  );
  const line = stdout.split('\n').find((text) => text.startsWith('result '));
  if (line === undefined) throw new Error(`wrk gave no result: ${stdout.slice(-500)}`);
  const raw = JSON.parse(line.slice('result '.length)) as Record<
    'requests' | 'refused' | 'broken' | 'durationUs' | 'p50Us' | 'p99Us',
    number
  >;
  if (raw.broken > 0) throw new Error(`${raw.broken} connections of wrk broke or timed out.`);
  const succeeded = raw.requests - raw.refused;
  return {
    perSecond: succeeded / (raw.durationUs / 1e6),
    succeeded,
    refused: raw.refused,
    p50Ms: raw.p50Us / 1000,
    p99Ms: raw.p99Us / 1000,
  };
}

/** Where a client begins that has read before it decides. */
async function headOf(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/head`);
  const { position } = (await response.json()) as { position: number };
  return `${position}`;
}
