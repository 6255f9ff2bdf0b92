import { pino } from 'pino';
import { withFileLog } from '../store/file/file-log.ts';
import { INDEX_FILE } from '../store/file/folder.ts';
import { parseFileUrl } from '../store/file/options.ts';
import { told } from '../store/file/store.ts';
import { auditStore, indexRefusal, refuseNoLog } from '../store/open.ts';
import { FINDINGS_MAX, type VerifiedLog, type VerifyFinding, verifyLog } from '../store/verify.ts';
import { type Command, EXIT, readArguments } from './command.ts';
import { Progress } from './progress.ts';
import { interruptible, isInUse, STORE_HELP, storeUrl, withStore } from './store-access.ts';
import { tell, writeOut } from './terminal.ts';
import { type Figure, writeTextfile } from './textfile.ts';

export const command: Command = {
  summary: 'check a store or a backup from its first event to its last',

  help: () => `Usage: stele verify [<store>] [--json] [--metrics <file>]

Reads the whole log and checks that positions have no gaps, ids are unique, times of recording never go back, and events
have the index terms that follow from them. Beside that, for PostgreSQL: the ids, the rows of the index and the zones
against the events. For a file store: every byte of its files against their checksums and the manifest, and its index against
one that is built out of them in the temporary folder; with indexing=false there is no index, and only the log is read.

A line for each finding, with its position, up to ${FINDINGS_MAX}; exit code 1 when there is one. Nothing is changed: of a file store
the files are read as they are, and not put right as by a start. What a write left that was cut short and never answered is
told and is no finding; an index that is not what it was at the last stop is one. A service may use the store meanwhile; of
a file store that is in use only the files are checked.

  --json             the result as one JSON object
  --metrics <file>   write when that was and how much was found for Prometheus' textfile collector

${STORE_HELP} Without one it is the store of the configuration.

Examples:
  stele verify file:/var/backups/stele
  stele verify @/run/secrets/store-url --json | jq .findings`,

  async run(argv) {
    const args = readArguments(argv, { json: 'switch', metrics: 'value' }, { positionalsMax: 1 });
    const url = await storeUrl(args.positionals[0]);
    const logger = pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true }));
    await refuseNoLog(url);
    const findings: VerifyFinding[] = [...(await auditStore(url, { logger }))];
    // A damaged file ends every reading at the damage, which has been named by then.
    const isDamaged =
      url.startsWith('file:') && findings.some(({ what }) => !what.startsWith(`${INDEX_FILE} `));
    const log = isDamaged ? 'damaged' : await interruptible((signal) => readThrough(url, signal));
    if (log === undefined) return EXIT.failure;
    const isRead = typeof log === 'object';
    const notes = isRead ? log.notes : [];
    if (isRead) findings.push(...log.findings);
    const { events, oldest, position } = isRead ? log : UNREAD;
    const textfile = args.value('metrics');
    if (textfile !== undefined) await writeTextfile(textfile, figuresOf(findings.length));
    if (args.has('json')) {
      await writeOut(`${JSON.stringify({ events, oldest, position, findings, notes })}\n`);
    } else {
      for (const { position: at, what } of findings) await writeOut(`position ${at}: ${what}\n`);
      if (!isRead) tell(`The store is ${log}: its files were checked, and the log was not read.`);
      else tell(`${events} events, positions ${oldest} to ${position}.`);
      if (isRead && url.startsWith('file:') && indexRefusal(url) !== undefined) {
        tell('There is no index to compare them with: indexing is off.');
      }
      for (const note of notes) tell(note);
      tell(findings.length === 0 ? 'Everything is as it was written.' : `Findings: ${findings.length}.`);
    }
    return findings.length === 0 ? EXIT.ok : EXIT.failure;
  },
};

function figuresOf(findings: number): Figure[] {
  return [
    {
      name: 'stele_last_verify_timestamp_seconds',
      help: 'When the store was last checked from its first event to its last',
      value: Date.now() / 1000,
    },
    { name: 'stele_last_verify_findings', help: 'What was found then', value: findings },
  ];
}

interface ReadLog extends VerifiedLog {
  /** What is no damage, and yet worth a word. */
  readonly notes: readonly string[];
}

const UNREAD = { events: null, oldest: null, position: null };

/** A file store has one process at a time. */
async function readThrough(url: string, signal: AbortSignal): Promise<ReadLog | 'in use'> {
  let progress: Progress | undefined;
  const read = async (log: Parameters<typeof verifyLog>[0]) =>
    await verifyLog(log, {
      signal,
      onProgress: ({ positions, done, events }) => {
        progress ??= new Progress(positions);
        progress.update(done, events);
      },
    });
  try {
    if (!url.startsWith('file:')) return { ...(await withStore(url, read)), notes: [] };
    return await withFileLog(parseFileUrl(url), async (log) => {
      const { findings, ...rest } = await read(log);
      return { ...rest, findings: [...log.findings.map(told), ...findings], notes: log.notes };
    });
  } catch (error) {
    if (url.startsWith('file:') && isInUse(error)) return 'in use';
    throw error;
  } finally {
    progress?.stop();
  }
}
