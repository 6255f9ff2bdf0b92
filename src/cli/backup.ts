import { StoreError } from '../errors.ts';
import { copyLog } from '../store/copy.ts';
import { type Command, readArguments, UsageError } from './command.ts';
import { DAMAGED_FLAG, DAMAGED_HELP, isInUse, STORE_HELP } from './store-access.ts';
import { betweenStores, twoStores } from './two-stores.ts';

export const command: Command = {
  summary: 'back a log up into a folder',

  help: () => `Usage: stele backup <store> file:<folder> [--quick] [--damaged]

Writes what the folder does not hold yet: all of the log the first time, later only what is new. The backup holds every event
up to one position, with positions, ids and times, and the documents. Each record in it has a checksum, and at the end it
is compared with the log event by event.

A PostgreSQL store may be in use meanwhile. A file: or embedded: store belongs to one process: while its service runs, let
that one do the same, with the setting backups (STELE_BACKUPS=file:<folder>) and POST /v1/backups.

A backup is a file store: it can be served, read and copied like any other. It is to be written by backups alone; one
that was appended to is refused (exit code 3).

  --quick      compare only what this run has written, and the last of what was there

${DAMAGED_HELP}

${STORE_HELP}

Examples:
  stele backup @/run/secrets/store-url file:/var/backups/stele
  stele backup file:./data file:./backup --quick`,

  async run(argv) {
    const args = readArguments(argv, { ...DAMAGED_FLAG, quick: 'switch' }, { positionalsMax: 2 });
    const stores = await twoStores('backup', args, 'a store and a folder, <store> file:<folder>');
    if (!stores.to.startsWith('file:'))
      throw new UsageError('backup: is written to a folder: file:<folder>.');
    const compare = args.has('quick') ? 'new' : 'all';
    try {
      return await betweenStores(stores, (source, target, options) =>
        copyLog(source, target, { ...options, compare }),
      );
    } catch (error) {
      throw isInUse(error) ? withAdvice(error) : error;
    }
  },
};

function withAdvice(error: Error): StoreError {
  return new StoreError(
    'STORAGE_UNAVAILABLE',
    `${error.message} If that process is the service of the log, it makes the backup itself: give it the setting backups, such as STELE_BACKUPS=file:/var/backups/stele, and send POST /v1/backups with {}.`,
    { cause: error.cause },
  );
}
