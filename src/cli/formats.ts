import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { PassThrough, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type Arguments, UsageError } from './command.ts';

/** The forms in which events leave and come: by the name of the file, or by --format. */
export type Format = 'ndjson' | 'csv';

export const FORMAT_HELP = `The name of the file says the format: .ndjson, .jsonl or .csv, compressed where .gz follows. --format ndjson|csv says it
for standard input and output and for other names.

CSV has a header line and these columns, in any order: id, type, timestamp, version, and as JSON tags, metadata, data.
Beside them tags.<key>, metadata.<name> and data.<name> each hold one value as text. Only type is needed. position and
recordedAt, which an export writes, are the old log's and passed over by an import.`;

export function formatOf(file: string, args: Arguments): { format: Format; isCompressed: boolean } {
  const isCompressed = /\.gz$/i.test(file);
  const given = args.value('format');
  if (given !== undefined) {
    if (given === 'ndjson' || given === 'csv') return { format: given, isCompressed };
    throw new UsageError(`--format ${given}: has to be one of ndjson, csv.`);
  }
  const extension = /\.(ndjson|jsonl|json|csv)(?:\.gz)?$/i.exec(file)?.[1]?.toLowerCase();
  if (extension === undefined && file !== '-') {
    throw new UsageError(`${file}: does not say its format. Add --format ndjson or --format csv.`);
  }
  return { format: extension === 'csv' ? 'csv' : 'ndjson', isCompressed };
}

export interface OpenInput {
  /** The content, decompressed. */
  readonly content: Readable;
  readonly bytes: number | undefined;
  /** Bytes of the file that were read so far. */
  readonly bytesRead: () => number;
}

/** @throws UsageError for a file that cannot be read. */
export async function openInput(file: string, isCompressed: boolean): Promise<OpenInput> {
  let bytes: number | undefined;
  let read = 0;
  let raw: Readable = process.stdin;
  if (file !== '-') {
    const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
      throw new UsageError(`${file}: cannot be read (${error.code}).`);
    });
    if (found.isFile()) bytes = found.size;
    raw = createReadStream(file, { highWaterMark: 256 * 1024 });
  }
  const counted = new PassThrough();
  raw.on('data', (chunk: Buffer) => {
    read += chunk.length;
  });
  raw.on('error', (error) => counted.destroy(error));
  raw.pipe(counted);
  if (!isCompressed) return { content: counted, bytes, bytesRead: () => read };
  const content = createGunzip();
  counted.on('error', (error) => content.destroy(error));
  return { content: counted.pipe(content), bytes, bytesRead: () => read };
}
