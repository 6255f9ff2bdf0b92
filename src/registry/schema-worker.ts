import { parentPort } from 'node:worker_threads';
import type { Fault } from '../errors.ts';
import { trySchema } from './schema-trial.ts';

/** The other side of `schema-compiler.ts`: a thread that tries one schema after the other and says what is wrong with it. */
export type TrialAnswer =
  | { readonly ready: true }
  | { readonly ready?: false; readonly faults: readonly Fault[] };

const port = parentPort;
port?.on('message', (text: string) => {
  const answer: TrialAnswer = { faults: trySchema(text) };
  port.postMessage(answer);
});
const ready: TrialAnswer = { ready: true };
port?.postMessage(ready);
