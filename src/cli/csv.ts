import type { Readable } from 'node:stream';
import { parse } from 'csv-parse';
import { stringify } from 'csv-stringify/sync';
import { StoreError } from '../errors.ts';
import { parseBody, type StoredEvent } from '../model/event.ts';
import type { InputLine } from '../model/line-batches.ts';
import { UsageError } from './command.ts';

/** Events as rows: what FORMAT_HELP says. */
const TEXTS = ['id', 'type', 'timestamp'] as const;
const OBJECTS = ['tags', 'metadata', 'data'] as const;
const PASSED_OVER = ['position', 'recordedAt'];
const COLUMNS = ['position', 'recordedAt', 'id', 'type', 'timestamp', 'version', ...OBJECTS];

export const CSV_HEADER = `${COLUMNS.join(',')}\n`;

export function csvRows(events: readonly StoredEvent[]): string {
  return stringify(
    events.map((event) => {
      const { version, tags, metadata, data } = parseBody(event.body);
      const { position, recordedAt, id, type, timestamp } = event;
      const objects = [tags, metadata, data].map((value) => JSON.stringify(value));
      return [position, recordedAt, id, type, timestamp, version, ...objects];
    }),
  );
}

interface Row {
  readonly record: Readonly<Record<string, string>>;
  readonly info: { readonly lines: number };
}

/**
 * The rows of a file as the JSON texts of events, with the number of the line each ends at.
 *
 * @throws UsageError for a header that names what no event has, StoreError VALIDATION_FAILED for what is not CSV.
 */
export async function* csvLines(content: Readable): AsyncGenerator<InputLine> {
  const parser = parse({ columns: checkedColumns, bom: true, info: true, skip_empty_lines: true });
  content.on('error', (error) => parser.destroy(error));
  content.pipe(parser);
  try {
    for await (const { record, info } of parser as AsyncIterable<Row>) {
      yield { number: info.lines, text: eventText(record) };
    }
  } catch (error) {
    if (error instanceof UsageError || error instanceof StoreError) throw error;
    const isCsv = error instanceof Error && 'code' in error && `${error.code}`.startsWith('CSV_');
    throw isCsv ? new StoreError('VALIDATION_FAILED', `The file is not CSV: ${error.message}.`) : error;
  }
}

function checkedColumns(header: string[]): string[] {
  const known: readonly string[] = [...TEXTS, ...OBJECTS, ...PASSED_OVER, 'version'];
  for (const name of header) {
    if (known.includes(name) || /^(?:tags|metadata|data)\../.test(name)) continue;
    throw new UsageError(
      `The column ${JSON.stringify(name)} is not known. Columns: ${known.join(', ')}, tags.<key> …`,
    );
  }
  if (!header.includes('type')) throw new UsageError('The header of the file has no column "type".');
  return header;
}

/** An empty cell is a member that is left out. Objects are spliced as text: numbers stay as they are written. */
function eventText(record: Readonly<Record<string, string>>): string {
  const members: string[] = [];
  for (const name of TEXTS) {
    const value = record[name];
    if (value !== undefined && value !== '') members.push(`"${name}":${JSON.stringify(value)}`);
  }
  const version = record['version'] ?? '';
  if (version !== '') members.push(`"version":${/^\d+$/.test(version) ? version : JSON.stringify(version)}`);
  for (const name of OBJECTS) {
    const text = objectText(record, name);
    if (text !== undefined) members.push(`"${name}":${text}`);
  }
  return `{${members.join(',')}}`;
}

function objectText(
  record: Readonly<Record<string, string>>,
  name: (typeof OBJECTS)[number],
): string | undefined {
  const whole = (record[name] ?? '').trim();
  const cells = Object.entries(record).filter(
    ([column, cell]) => column.startsWith(`${name}.`) && cell !== '',
  );
  // What is no object is handed on as text, for the service to refuse with this line.
  if (whole !== '' && !(whole.startsWith('{') && whole.endsWith('}'))) return JSON.stringify(whole);
  const members = cells.map(
    ([column, cell]) => `${JSON.stringify(column.slice(name.length + 1))}:${JSON.stringify(cell)}`,
  );
  const inner = whole.slice(1, -1).trim();
  if (inner !== '') members.unshift(inner.replace(/[\r\n]+/g, ' '));
  if (members.length === 0) return name === 'data' ? '{}' : undefined;
  return `{${members.join(',')}}`;
}
