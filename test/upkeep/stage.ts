import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import type { Call } from '../helpers/caller.ts';

/** URL of a folder for an archive or a backup, gone at the end of the test. */
export async function place(t: Test): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'stele-upkeep-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return `file:${path.join(folder, 'place')}`;
}

export interface JobBody {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly progress: { readonly done: number; readonly total: number };
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: string; readonly detail: string };
}

interface Callable {
  call(path: string, call?: Call): Promise<{ status: number; text: string }>;
}

/** Asks for a job and waits until it has ended. */
export async function ended(service: Callable, answer: { status: number; text: string }): Promise<JobBody> {
  if (answer.status !== 202) throw new Error(`${answer.status}: ${answer.text}`);
  const { id } = JSON.parse(answer.text) as JobBody;
  for (let turn = 0; turn < 1200; turn += 1) {
    const { text } = await service.call(`/v1/jobs/${id}`);
    const job = JSON.parse(text) as JobBody;
    if (job.state !== 'waiting' && job.state !== 'running') return job;
    await sleep(25);
  }
  throw new Error('The job does not end.');
}
