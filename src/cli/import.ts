import { formOf } from '../client/envelope.ts';
import type { Client } from '../client/index.ts';
import { StoreError } from '../errors.ts';
import type { Envelope } from '../model/envelopes/envelope.ts';
import { newEventId } from '../model/event-id.ts';
import { inspectJson } from '../model/json-text.ts';
import { type InputLine, readBatches } from '../model/line-batches.ts';
import { type Command, EXIT, readArguments } from './command.ts';
import { CONNECTION_FLAGS, CONNECTION_HELP, connect } from './connection.ts';
import { csvLines } from './csv.ts';
import { ENVELOPE_FLAG, ENVELOPE_HELP, readLineEnvelope } from './envelope-flag.ts';
import { FORMAT_HELP, formatOf, openInput } from './formats.ts';
import { Progress } from './progress.ts';
import { tell, writeOut } from './terminal.ts';

/** Sent with one request. A part can be sent again, and has to be through before the service gives a request up. */
const PART_LINES_MIN = 1000;
const PART_LINES_START = 10_000;
const PART_LINES_MAX = 160_000;
const PART_CHARACTERS_MAX = 32 * 1024 * 1024;
/** The service has nothing to do between two parts, so that they should be long; and the progress is told by part. */
const PART_MS_MIN = 2000;
const PART_MS_MAX = 10_000;
const TOLD_MAX = 100;

export const command: Command = {
  summary: 'import events from a file of NDJSON or CSV',

  help: () => `Usage: stele import [<file> | -] [--format ndjson|csv] [--envelope <name>]

Stores every line of the file as a new event, in its order. Lines that cannot be stored are told by their number and
left out; the others are stored (exit code 5 when there were any). An import that broke off is gone on with by running it
again, as far as the events carry ids: what is stored already is counted as a duplicate.

${FORMAT_HELP}

${ENVELOPE_HELP} Only for NDJSON.

To move a whole log with its positions, use stele copy.

${CONNECTION_HELP}

Examples:
  stele import events.ndjson.gz
  stele import history.csv --url https://stele.example --key-file key.txt
  zcat backup.csv.gz | stele import - --format csv`,

  async run(argv) {
    const flags = { ...CONNECTION_FLAGS, ...ENVELOPE_FLAG, format: 'value' } as const;
    const args = readArguments(argv, flags, { positionalsMax: 1 });
    const [file = '-'] = args.positionals;
    const { format, isCompressed } = formatOf(file, args);
    const envelope = readLineEnvelope(args, format);
    const client = connect(args);
    const { content, bytes, bytesRead } = await openInput(file, isCompressed);
    const lines = format === 'csv' ? csvLines(content) : ndjsonLines(content);
    const progress = new Progress(bytes);
    const total = { imported: 0, duplicates: 0, rejected: 0, position: 0 };
    // One part is on its way at a time, for they are stored in order; the next is read and looked at meanwhile.
    let onItsWay = Promise.resolve();
    const size = { lines: PART_LINES_START };
    try {
      for await (const part of partsOf(lines, size)) {
        const texts = part.map(({ text }) => asNewEvent(text, envelope));
        await onItsWay;
        const sentMs = performance.now();
        onItsWay = importPart(client, part, { texts, envelope }, total).then(() => {
          progress.update(bytesRead(), total.imported + total.duplicates);
          const tookMs = performance.now() - sentMs;
          if (tookMs < PART_MS_MIN) size.lines = Math.min(PART_LINES_MAX, size.lines * 2);
          if (tookMs > PART_MS_MAX) size.lines = Math.max(PART_LINES_MIN, Math.floor(size.lines / 2));
        });
        // It is awaited in its turn, which may come after the input failed.
        onItsWay.catch(() => undefined);
      }
      await onItsWay;
    } finally {
      await onItsWay.catch(() => undefined);
      progress.stop();
    }
    await writeOut(`${JSON.stringify(total)}\n`);
    return total.rejected === 0 ? EXIT.ok : EXIT.refused;
  },
};

async function* ndjsonLines(content: AsyncIterable<Buffer>): AsyncGenerator<InputLine> {
  for await (const { lines } of readBatches(content, PART_LINES_MIN)) yield* lines;
}

/** @param size may change while a part is read. */
async function* partsOf(
  lines: AsyncIterable<InputLine>,
  size: { readonly lines: number },
): AsyncGenerator<readonly InputLine[]> {
  let part: InputLine[] = [];
  let characters = 0;
  for await (const line of lines) {
    part.push(line);
    characters += line.text.length;
    if (part.length < size.lines && characters < PART_CHARACTERS_MAX) continue;
    yield part;
    part = [];
    characters = 0;
  }
  if (part.length > 0) yield part;
}

async function importPart(
  client: Client,
  part: readonly InputLine[],
  { texts, envelope }: { texts: readonly string[]; envelope: Envelope | undefined },
  total: { imported: number; duplicates: number; rejected: number; position: number },
): Promise<void> {
  const { imported, duplicates, rejected, failed, position } = await client.importLines(texts, { envelope });
  for (const [index, { line, code, detail }] of failed.entries()) {
    if (total.rejected + index >= TOLD_MAX) break;
    tell(`line ${part[line - 1]?.number}: ${code}: ${detail}`);
  }
  total.imported += imported;
  total.duplicates += duplicates;
  total.rejected += rejected;
  total.position = Math.max(total.position, position);
}

/**
 * The line without what an export says about the old log, and with an id where it has none, so that a part can be
 * sent again. The rest stays as it is written; what is no object is left for the service to refuse.
 */
function asNewEvent(text: string, envelope: Envelope | undefined): string {
  const { idMember, isIdOptional } = formOf(envelope);
  const line = text.replace(/[\r\n]+/g, ' ');
  const names = membersOf(line);
  if (names === undefined) return line;
  // Other shapes say it in members that the service passes over.
  if (envelope === undefined && (names.includes('position') || names.includes('recordedAt')))
    return withoutPlace(line);
  if (!isIdOptional || names.includes(idMember)) return line;
  const separator = names.length === 0 ? '' : ',';
  return `{"${idMember}":"${newEventId()}"${separator}${line.slice(line.indexOf('{') + 1)}`;
}

/** The names of an object's members: more than them is looked at only where a member has to go. */
function membersOf(line: string): string[] | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.keys(value)
      : undefined;
  } catch {
    return undefined;
  }
}

function withoutPlace(line: string): string {
  try {
    const { root, text } = inspectJson(line, 1);
    const kept = (root.members ?? []).filter(({ key }) => key !== 'position' && key !== 'recordedAt');
    const texts = kept.map(
      ({ key, value }) => `${JSON.stringify(key)}:${text.slice(value.start, value.end)}`,
    );
    if (!kept.some(({ key }) => key === 'id')) texts.unshift(`"id":"${newEventId()}"`);
    return `{${texts.join(',')}}`;
  } catch (error) {
    if (error instanceof StoreError) return line;
    throw error;
  }
}
