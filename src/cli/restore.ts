import { canonicalTimestamp } from '../model/timestamp.ts';
import { restoreLog, restorePoint } from '../store/restore.ts';
import { type Command, readArguments, UsageError } from './command.ts';
import { DAMAGED_FLAG, DAMAGED_HELP, STORE_HELP } from './store-access.ts';
import { betweenStores, twoStores } from './two-stores.ts';

export const command: Command = {
  summary: 'make a new log of a backup, up to a moment',

  help: () => `Usage: stele restore file:<folder> <store> [--until <position|recordedAt>] [--damaged]

Fills an empty store with the events of a backup, at their positions and with their ids and times. The store keeps a log
id of its own, so that clients that know the old log are told (LOG_MISMATCH), and an event of the type $stele.restored
says which log was restored up to where. A run that was killed is gone on with by running it again.

  --until <n|time>   the last position, or the last time of recording, to restore; all without it. A moment that lies
                     behind the last event of the backup, or before its first, is refused (exit code 5)

Documents such as snapshots come along as far as they were written by then. To keep the identity of the log, use stele
copy.

${DAMAGED_HELP}

${STORE_HELP}

Examples:
  stele restore file:/var/backups/stele @/run/secrets/new-store-url
  stele restore file:./backup file:./data --until 2026-11-21T09:30:00Z`,

  async run(argv) {
    const args = readArguments(argv, { ...DAMAGED_FLAG, until: 'value' }, { positionalsMax: 2 });
    const stores = await twoStores('restore', args, 'a backup and a store, file:<folder> <store>');
    const until = readUntil(args.value('until'));
    return await betweenStores(
      stores,
      (source, target, options) => restoreLog(source, target, { ...options, until }),
      (source, signal) => restorePoint(source, until, signal),
    );
  },
};

function readUntil(text: string | undefined): number | string | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const time = canonicalTimestamp(text);
  if (time.ok) return time.value;
  throw new UsageError(`--until ${text}: is neither a position nor a time; as a time it ${time.reason}.`);
}
