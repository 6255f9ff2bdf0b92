import { copyLog } from '../store/copy.ts';
import { type Command, readArguments } from './command.ts';
import { DAMAGED_FLAG, DAMAGED_HELP, STORE_HELP } from './store-access.ts';
import { betweenStores, twoStores } from './two-stores.ts';

export const command: Command = {
  summary: 'copy a log from one store to another',

  help: () => `Usage: stele copy <from> <to> [--quick] [--damaged]

Makes <to> the copy of <from>: events with their positions, ids and times, documents, and the identity of the log. To
change the backend, stop the service, copy, and start it with the URL of the copy.

What is there already is not copied again, so that a run that was killed is gone on with by running it again, and a
later run copies what came since. A store that holds another log, or went on by itself, is refused (exit code 3).
At the end both logs are compared event by event, and the checksum over all of them is printed.

  --quick      compare only what this run has copied, and the last of what was there

${DAMAGED_HELP}

${STORE_HELP}

Examples:
  stele copy file:./data @/run/secrets/store-url
  stele copy postgres://old.example/stele postgres://new.example/stele`,

  async run(argv) {
    const args = readArguments(argv, { ...DAMAGED_FLAG, quick: 'switch' }, { positionalsMax: 2 });
    const stores = await twoStores('copy', args, 'two stores, <from> <to>');
    const compare = args.has('quick') ? 'new' : 'all';
    return await betweenStores(stores, (source, target, options) =>
      copyLog(source, target, { ...options, compare }),
    );
  },
};
