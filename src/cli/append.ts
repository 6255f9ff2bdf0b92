import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { type Client, SteleError } from '../client/index.ts';
import { LIMITS } from '../limits.ts';
import type { Envelope } from '../model/envelopes/envelope.ts';
import { type Batch, type InputLine, readBatches } from '../model/line-batches.ts';
import { AppendCondition } from '../model/query.ts';
import { type Command, EXIT, readArguments, UsageError, wholeNumber } from './command.ts';
import { CONNECTION_FLAGS, CONNECTION_HELP, connect } from './connection.ts';
import { ENVELOPE_FLAG, ENVELOPE_HELP, readEnvelope } from './envelope-flag.ts';
import { readJson } from './filter-flags.ts';
import { readLine } from './input-lines.ts';
import { Progress } from './progress.ts';
import { tell, writeOut } from './terminal.ts';

export const command: Command = {
  summary: 'append events from lines of JSON',

  help: () => `Usage: stele append [<file> | -] [--conditions <json>] [--batch <n>] [--envelope <name>]

Reads one event a line from the file, or from standard input, and appends them in their order. Each batch is
stored as a whole or not at all; a failure ends the work and says which lines were stored before. Lines that
carry an id can be sent again: what is stored already is not stored twice.

  --conditions <json>    a list of append conditions; all lines are then one batch, stored if all hold
  --batch <n>            events in a batch, 1 to ${LIMITS.batchEventsMax} [500]
  --dry-run              make every check and store nothing
  --json                 a line for each event, {id, position}, instead of one for the whole

${ENVELOPE_HELP}

${CONNECTION_HELP}

Examples:
  echo '{"type":"ISSUE.OPENED","tags":{"issueId":"42"},"data":{}}' | stele append
  stele append events.ndjson --batch 1000
  stele append decision.ndjson --conditions '[{"failIfEventsMatch":{"items":[{"tags":{"issueId":"42"}}]},"after":17}]'`,

  async run(argv) {
    const args = readArguments(
      argv,
      {
        ...CONNECTION_FLAGS,
        ...ENVELOPE_FLAG,
        conditions: 'value',
        batch: 'value',
        'dry-run': 'switch',
        json: 'switch',
      },
      { positionalsMax: 1 },
    );
    const conditions = readConditions(args.value('conditions'));
    const batchMax = wholeNumber(args, 'batch', { min: 1, max: LIMITS.batchEventsMax }) ?? 500;
    const envelope = readEnvelope(args);
    const { lines, bytes } = await openInput(args.positionals[0]);
    const work: Work = {
      client: connect(args),
      conditions,
      envelope,
      isDryRun: args.has('dry-run'),
      isList: args.has('json'),
      total: { stored: 0, replayed: 0, firstPosition: null, lastPosition: null },
    };
    const progress = new Progress(bytes);
    try {
      if (conditions === undefined) await appendAll(work, readBatches(lines, batchMax), progress);
      else await appendAsOne(work, lines, progress);
    } finally {
      progress.stop();
    }
    if (!work.isList && !work.isDryRun) await writeOut(`${JSON.stringify(work.total)}\n`);
    if (work.isDryRun) tell('Every check was passed; nothing was stored.');
    return EXIT.ok;
  },
};

interface Work {
  readonly client: Client;
  readonly conditions: readonly AppendCondition[] | undefined;
  readonly envelope: Envelope | undefined;
  readonly isDryRun: boolean;
  readonly isList: boolean;
  readonly total: {
    stored: number;
    replayed: number;
    firstPosition: number | null;
    lastPosition: number | null;
  };
}

async function appendAll(work: Work, batches: AsyncIterable<Batch>, progress: Progress): Promise<void> {
  for await (const { lines, bytesRead } of batches) {
    await appendBatch(work, lines);
    progress.update(bytesRead, work.total.stored + work.total.replayed);
  }
}

/** Conditions belong to one append, so the input has to be one. */
async function appendAsOne(work: Work, input: AsyncIterable<Buffer>, progress: Progress): Promise<void> {
  const batches: Batch[] = [];
  for await (const batch of readBatches(input, LIMITS.batchEventsMax)) {
    batches.push(batch);
    if (batches.length > 1) {
      throw new UsageError(
        `--conditions: guard one batch, of at most ${LIMITS.batchEventsMax} events and ${LIMITS.batchBytesMax} bytes; the input is larger.`,
      );
    }
  }
  for (const { lines, bytesRead } of batches) {
    await appendBatch(work, lines);
    progress.update(bytesRead, lines.length);
  }
}

async function appendBatch(work: Work, lines: readonly InputLine[]): Promise<void> {
  const { conditions, envelope } = work;
  const options = { conditions, envelope };
  try {
    const events = lines.map((line) => readLine(line, envelope));
    if (work.isDryRun) {
      await work.client.append(events, { ...options, dryRun: true });
      return;
    }
    const answer = await work.client.append(events, options);
    const { total } = work;
    if (answer.replayed) total.replayed += events.length;
    else total.stored += events.length;
    total.firstPosition ??= answer.firstPosition;
    total.lastPosition = answer.lastPosition;
    if (work.isList) await writeOut(answer.events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  } catch (error) {
    const { stored, replayed } = work.total;
    if (stored + replayed > 0) {
      tell(
        `stele: ${stored + replayed} events before line ${lines[0]?.number} are stored, up to position ${work.total.lastPosition}.`,
      );
    }
    throw withLineNumbers(error, lines);
  }
}

/** `/events/3/data` is the fourth line of the batch, and `/3/data` of a list of CloudEvents. */
function withLineNumbers(error: unknown, lines: readonly InputLine[]): unknown {
  if (!(error instanceof SteleError) || error.problem?.errors === undefined) return error;
  const errors = error.problem.errors.map(({ pointer, detail }) => {
    const [, index, rest] = /^(?:\/events)?\/(\d+)(.*)$/s.exec(pointer) ?? [];
    const line = lines[Number(index)];
    return { pointer: line === undefined ? pointer : `line ${line.number} ${rest ?? ''}`.trim(), detail };
  });
  return new SteleError(error.code, error.message, {
    status: error.status,
    problem: { ...error.problem, errors },
    requestId: error.requestId,
    cause: error,
  });
}

function readConditions(text: string | undefined): readonly AppendCondition[] | undefined {
  if (text === undefined) return undefined;
  const Conditions = Type.Array(AppendCondition, { minItems: 1, maxItems: LIMITS.conditionsMax });
  const conditions = readJson('conditions', text);
  if (Value.Check(Conditions, conditions)) return conditions;
  const [error] = Value.Errors(Conditions, conditions);
  throw new UsageError(
    `--conditions: ${error?.path || 'it'}: ${error?.message ?? 'is not a list of conditions'}.`,
  );
}

/** The input as bytes, and how many there are where that is known beforehand. */
async function openInput(file = '-'): Promise<{ lines: AsyncIterable<Buffer>; bytes: number | undefined }> {
  if (file === '-') {
    if (process.stdin.isTTY) tell('Reading events from the terminal, one a line; Ctrl-D ends.');
    return { lines: process.stdin, bytes: undefined };
  }
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${file}: cannot be read (${error.code}).`);
  });
  return {
    lines: createReadStream(file, { highWaterMark: 256 * 1024 }),
    bytes: found.isFile() ? found.size : undefined,
  };
}
