import { createWriteStream } from 'node:fs';
import { access, open, rename } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Client, RecordedEvent } from '../client/index.ts';
import type { Envelope } from '../model/envelopes/envelope.ts';
import type { StoredEvent } from '../model/event.ts';
import { compileFilter, type EventFilter } from '../model/filter.ts';
import { type View, viewOf } from '../model/view.ts';
import { lossInWords } from '../store/damage.ts';
import { renderBlock } from '../store/framing.ts';
import type { Backend } from '../store/store.ts';
import { type Command, EXIT, readArguments, UsageError } from './command.ts';
import { CONNECTION_FLAGS, CONNECTION_HELP, connect } from './connection.ts';
import { CSV_HEADER, csvRows } from './csv.ts';
import { ENVELOPE_FLAG, ENVELOPE_HELP, readLineEnvelope } from './envelope-flag.ts';
import { FILTER_FLAGS, FILTER_HELP, readFilter } from './filter-flags.ts';
import { FORMAT_HELP, type Format, formatOf } from './formats.ts';
import { DAMAGED_FLAG, DAMAGED_HELP, STORE_HELP, storeUrl, withSource } from './store-access.ts';
import { tell } from './terminal.ts';

const PIECE_EVENTS = 500;

export const command: Command = {
  summary: 'export events to a file of NDJSON or CSV',

  help: () => `Usage: stele export [<file> | -] [filter] [--format ndjson|csv] [--envelope <name>]
                    [--store <url> [--damaged]]

Writes every event that matches, in order of position and as of the moment of the call, from a running service or, with
--store, from a store itself. The file has its name once it is complete and on disk; until then it is called <file>.part.

  --store <url>    read this store instead of asking a service
  --force          write over a file that is there

${FORMAT_HELP}

${ENVELOPE_HELP} Only for NDJSON.

${FILTER_HELP}

${CONNECTION_HELP}

${DAMAGED_HELP} Only with --store.

${STORE_HELP}

Examples:
  stele export events.ndjson.gz
  stele export open.csv --event-types 'ISSUE.*' --start-time 2026-11-01T00:00:00Z
  stele export - --store file:./data | wc -l`,

  async run(argv) {
    const args = readArguments(
      argv,
      {
        ...CONNECTION_FLAGS,
        ...FILTER_FLAGS,
        ...ENVELOPE_FLAG,
        ...DAMAGED_FLAG,
        format: 'value',
        store: 'value',
        force: 'switch',
      },
      { positionalsMax: 1 },
    );
    const [file = '-'] = args.positionals;
    const { format, isCompressed } = formatOf(file, args);
    const envelope = readLineEnvelope(args, format);
    const filter = readFilter(args);
    if (file !== '-' && !args.has('force')) await refuseExisting(file);
    const store = args.value('store');
    const target = { file, header: format === 'csv' ? CSV_HEADER : '', isCompressed };
    const { signal } = new AbortController();
    const { done, damaged } =
      store === undefined
        ? { done: await writeTo(target, fromService(connect(args), filter, { format, envelope })) }
        : await withSource(
            await storeUrl(store),
            { isDamagedTaken: args.has('damaged'), signal },
            (backend) => writeTo(target, fromStore(backend, filter, { format, view: viewOf(envelope) })),
          );
    tell(`${done} events were exported.`);
    if (damaged === undefined) return EXIT.ok;
    tell(lossInWords(damaged));
    return EXIT.incomplete;
  },
};

/** Events on their way, as they are written. */
interface Piece {
  readonly count: number;
  readonly content: Buffer | string;
}

async function* fromStore(
  backend: Backend,
  filter: EventFilter,
  { format, view }: { format: Format; view: View | undefined },
): AsyncGenerator<Piece> {
  const { signal } = new AbortController();
  for await (const block of backend.scan(compileFilter(filter), { signal })) {
    const content = format === 'csv' ? csvRows(block.events()) : renderBlock(block, 'ndjson', view);
    yield { count: block.count, content };
  }
}

async function* fromService(
  client: Client,
  filter: EventFilter,
  { format, envelope }: { format: Format; envelope: Envelope | undefined },
): AsyncGenerator<Piece> {
  const pieces =
    format === 'csv'
      ? piecesOf(client.read(filter), (events) => csvRows(events.map(toStored)))
      : piecesOf(client.read(filter, { envelope }), linesOf);
  yield* pieces;
}

async function* piecesOf<T>(
  events: AsyncIterable<T>,
  render: (events: readonly T[]) => string,
): AsyncGenerator<Piece> {
  let lot: T[] = [];
  for await (const event of events) {
    lot.push(event);
    if (lot.length < PIECE_EVENTS) continue;
    yield { count: lot.length, content: render(lot) };
    lot = [];
  }
  yield { count: lot.length, content: render(lot) };
}

function linesOf(events: readonly object[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join('');
}

function toStored({ version, tags, metadata, data, ...event }: RecordedEvent): StoredEvent {
  const body = JSON.stringify({ version, tags, metadata, data }).slice(1, -1);
  return { ...event, body };
}

async function writeTo(
  { file, header, isCompressed }: { file: string; header: string; isCompressed: boolean },
  pieces: AsyncIterable<Piece>,
): Promise<number> {
  let count = 0;
  async function* content(): AsyncGenerator<Buffer | string> {
    if (header !== '') yield header;
    for await (const piece of pieces) {
      count += piece.count;
      if (piece.content.length > 0) yield piece.content;
    }
  }
  const squeeze: Transform = isCompressed ? createGzip() : new PassThrough();
  if (file === '-') {
    await pipeline(content, squeeze, process.stdout, { end: false });
    return count;
  }
  const part = `${file}.part`;
  await pipeline(content, squeeze, createWriteStream(part));
  await onDisk(part);
  await rename(part, file);
  await onDisk(path.dirname(file));
  return count;
}

/** A file or a folder whose last change has to survive a crash. */
async function onDisk(name: string): Promise<void> {
  const handle = await open(name, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function refuseExisting(file: string): Promise<void> {
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (isThere) throw new UsageError(`${file}: is there already. Add --force to write over it.`);
}
