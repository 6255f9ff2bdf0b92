import { pino } from 'pino';
import { auditStore, indexRefusal, rebuildStoreIndex } from '../store/open.ts';
import { type Command, EXIT, readArguments, UsageError } from './command.ts';
import { STORE_HELP, storeUrl } from './store-access.ts';
import { tell, writeOut } from './terminal.ts';

export const command: Command = {
  summary: 'build the index of a file store anew',

  help: () => `Usage: stele rebuild-index [file:<folder>]

Checks every byte of the files of a file store, throws its index away and builds it anew out of them. What was done stands in
the log as an event of the type $stele.index-rebuilt. A damaged log keeps the index that it has: bring the files back from a
backup first. The service has to be stopped.

An index that is missing or cannot be used is built anew, and recorded, by the start of the service as well. This is for one
that is wrong and does not look it.

${STORE_HELP} Without one it is the store of the configuration.

Examples:
  stele rebuild-index
  stele rebuild-index file:/var/lib/stele`,

  async run(argv) {
    const { positionals } = readArguments(argv, {}, { positionalsMax: 1 });
    const url = await storeUrl(positionals[0]);
    const refused = indexRefusal(url);
    if (refused !== undefined) throw new UsageError(`rebuild-index: ${refused}`);
    const logger = pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true }));
    const findings = await auditStore(url, { logger, withIndex: false });
    if (findings.length > 0) {
      for (const { position, what } of findings) tell(`position ${position}: ${what}`);
      tell('The log is damaged, and the index was left as it is.');
      return EXIT.failure;
    }
    await writeOut(`${JSON.stringify(await rebuildStoreIndex(url, { logger }))}\n`);
    return EXIT.ok;
  },
};
