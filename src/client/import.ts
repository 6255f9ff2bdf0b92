import type { Envelope } from '../model/envelopes/envelope.ts';
import type { Transport } from './transport.ts';

/** What became of lines that were imported. */
export interface Imported {
  readonly imported: number;
  /** Events that were there already, with the same id and content. */
  readonly duplicates: number;
  readonly rejected: number;
  /** The first of the lines that were not stored, by number from 1. */
  readonly failed: readonly { readonly line: number; readonly code: string; readonly detail: string }[];
  /** Of the last event that was stored; 0 when none was. */
  readonly position: number;
}

/** Sends lines that each hold an event with an id, so that sending them again stores none twice. */
export async function importLines(
  transport: Transport,
  lines: readonly string[],
  { envelope }: { readonly envelope?: Envelope | undefined },
): Promise<Imported> {
  const { body } = await transport.json<Imported>({
    method: 'POST',
    path: '/v1/imports',
    query: { envelope },
    text: { type: 'application/x-ndjson', body: `${lines.join('\n')}\n` },
  });
  return body;
}
