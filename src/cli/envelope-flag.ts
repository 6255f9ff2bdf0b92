import { ENVELOPES, type Envelope } from '../model/envelopes/envelope.ts';
import { type Arguments, type FlagNames, UsageError } from './command.ts';

/** The flag of verbs that take or show events in other shapes than Stele's own. */
export const ENVELOPE_FLAG: FlagNames = { envelope: 'value' };

export const ENVELOPE_HELP = `--envelope <name> is the shape of the events: ${ENVELOPES.join(', ')}. Without it they are in Stele's own.`;

/** @throws UsageError for a name that is no shape's. */
export function readEnvelope(args: Arguments): Envelope | undefined {
  const name = args.value('envelope');
  if (name === undefined) return undefined;
  const envelope = ENVELOPES.find((one) => one === name);
  if (envelope === undefined)
    throw new UsageError(`--envelope ${name}: has to be one of ${ENVELOPES.join(', ')}.`);
  return envelope;
}

/** The same for files, of which CSV has columns of its own. @throws UsageError */
export function readLineEnvelope(args: Arguments, format: 'ndjson' | 'csv'): Envelope | undefined {
  const envelope = readEnvelope(args);
  if (envelope !== undefined && format === 'csv')
    throw new UsageError(`--envelope ${envelope}: belongs to NDJSON; CSV has columns of its own.`);
  return envelope;
}
