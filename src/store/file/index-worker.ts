import { parentPort, workerData } from 'node:worker_threads';
import type { GenerationPart, MergePart } from './generation-parts.ts';
import { IndexWriter } from './index-writer.ts';
import { Connection } from './sqlite-connection.ts';
import { Numbers } from './sqlite-numbers.ts';

/** The other side of `index-thread.ts`: writes the parts that it is sent, one after the other, and answers each. */
export interface IndexThreadOptions {
  readonly file: string;
  readonly cacheBytes: number;
}
export type IndexThreadOrder = GenerationPart | MergePart | 'stop';
export interface IndexThreadAnswer {
  readonly failure: string | undefined;
}

const port = parentPort;
const { file, cacheBytes } = workerData as IndexThreadOptions;
const connection = Connection.open(file, { cacheBytes });
const numbers = new Numbers(connection);
const writer = new IndexWriter(connection, numbers);
let isBetween = true;
/** Set with the first part that fails: of its generation nothing more is taken, and there is none behind it. */
let failure: string | undefined;

port?.on('message', (order: IndexThreadOrder) => {
  if (order === 'stop') {
    writer.abandon();
    connection.close();
    port.close();
    return;
  }
  try {
    // The other connection may have handed out some since the generation before.
    if (isBetween) numbers.learn();
    isBetween = order.kind === 'rest' || order.kind === 'merge';
    if (failure === undefined) writer.take(order);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  answer({ failure });
});
answer({ failure });

function answer(message: IndexThreadAnswer): void {
  port?.postMessage(message);
}
