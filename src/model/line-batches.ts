import { StoreError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

export interface InputLine {
  /** Counts from 1, empty lines included. */
  readonly number: number;
  readonly text: string;
}

/** Lines that are appended together. */
export interface Batch {
  readonly lines: readonly InputLine[];
  /** Bytes of the input up to the end of the batch. */
  readonly bytesRead: number;
}

const NEWLINE = 10;
/** The service adds ids and the brackets of the list; both stay far below this. */
const ENVELOPE_BYTES = 256 * 1024;

/**
 * Cuts the input into batches: as many lines as asked for, but never more bytes than an append may have. Empty
 * lines are passed over.
 *
 * What has arrived is sent when the input pauses: `tail -f | stele append` stores each line as it comes.
 *
 * @throws StoreError PAYLOAD_TOO_LARGE or UNSTORABLE for a line that no event can be.
 */
export async function* readBatches(input: AsyncIterable<Buffer>, linesMax: number): AsyncGenerator<Batch> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
  let waiting: InputLine[] = [];
  let waitingBytes = 0;
  let bytesRead = 0;
  let number = 0;
  let rest: Buffer[] = [];
  let restBytes = 0;

  function take(bytes: Buffer): void {
    number += 1;
    bytesRead += bytes.length + 1;
    if (bytes.length > LIMITS.eventBytesMax) {
      throw new StoreError(
        'PAYLOAD_TOO_LARGE',
        `Line ${number} is longer than ${LIMITS.eventBytesMax} bytes.`,
      );
    }
    try {
      const text = decoder.decode(bytes).trim();
      if (text !== '') waiting.push({ number, text });
    } catch (cause) {
      throw new StoreError('UNSTORABLE', `Line ${number} is not UTF-8.`, { cause });
    }
    waitingBytes += bytes.length;
  }

  function* full(): Generator<Batch> {
    const isFull =
      waiting.length >= linesMax ||
      waitingBytes > LIMITS.batchBytesMax - LIMITS.eventBytesMax - ENVELOPE_BYTES;
    if (isFull) yield* flush();
  }

  function* flush(): Generator<Batch> {
    if (waiting.length > 0) yield { lines: waiting, bytesRead };
    waiting = [];
    waitingBytes = 0;
  }

  const chunks = input[Symbol.asyncIterator]();
  let coming = next(chunks);
  for (;;) {
    const step = await nextUnlessPaused(coming, waiting.length > 0);
    if (step === 'paused') {
      yield* flush();
      continue;
    }
    if (step.done === true) break;
    coming = next(chunks);
    let from = 0;
    for (let end = step.value.indexOf(NEWLINE); end !== -1; end = step.value.indexOf(NEWLINE, from)) {
      const bytes = step.value.subarray(from, end);
      take(rest.length === 0 ? bytes : Buffer.concat([...rest, bytes]));
      rest = [];
      restBytes = 0;
      from = end + 1;
      yield* full();
    }
    rest.push(step.value.subarray(from));
    restBytes += step.value.length - from;
    if (restBytes > LIMITS.eventBytesMax) take(Buffer.concat(rest));
  }
  if (restBytes > 0) take(Buffer.concat(rest));
  yield* flush();
}

/** A failure of the input that comes while a batch is on its way is heard when the next piece is asked for. */
function next(chunks: AsyncIterator<Buffer>): Promise<IteratorResult<Buffer>> {
  const coming = chunks.next();
  coming.catch(() => undefined);
  return coming;
}

const PAUSE_MS = 100;

/** The next piece of the input, or `paused` when it does not come soon and there is something to send. */
async function nextUnlessPaused(
  coming: Promise<IteratorResult<Buffer>>,
  hasWaiting: boolean,
): Promise<IteratorResult<Buffer> | 'paused'> {
  if (!hasWaiting) return await coming;
  let timer: NodeJS.Timeout | undefined;
  const pause = new Promise<'paused'>((resolve) => {
    timer = setTimeout(() => resolve('paused'), PAUSE_MS);
  });
  return await Promise.race([coming, pause]).finally(() => clearTimeout(timer));
}
