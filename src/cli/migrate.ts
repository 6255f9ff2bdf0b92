import { type Logger, pino } from 'pino';
import { loadConfig } from '../config.ts';
import { redactUrl } from '../config-store.ts';
import { migrateStore, renewStoreLogId } from '../store/open.ts';
import { type Command, EXIT, readArguments } from './command.ts';
import { settingsHelp } from './settings-help.ts';
import { tell, writeOut } from './terminal.ts';

export const command: Command = {
  summary: 'bring the schema of the store up to date',

  help: () => `Usage: stele migrate [--status | --new-log-id] [--json] [settings]

Applies the migrations that the store lacks, each in a transaction of its own, under a lock: several at once do no
harm. serve does the same when it starts; this is for a role that may change the schema where the service's may not.

  --status   only say what is applied and what is not; exit code 1 when something is not
  --json     the state as one JSON object

  --new-log-id  only give the log a new id. Once, after the database was set back to an earlier moment and before a
                service starts on it: positions that clients have seen will be given to other events, and by the id
                they are told. Takes the owner of the schema

Examples:
  stele migrate --store postgres://owner@db.example/stele
  STELE_STORE_FILE=/run/secrets/owner-url stele migrate --status
  stele migrate --new-log-id --store postgres://owner@restored.example/stele

${settingsHelp()}`,

  async run(argv) {
    const args = readArguments(
      argv,
      { status: 'switch', json: 'switch', 'new-log-id': 'switch' },
      { allowOthers: true },
    );
    const { store, logLevel } = loadConfig({ argv: args.others });
    const logger = pino({ level: logLevel }, pino.destination({ fd: 2, sync: true }));
    if (args.has('new-log-id')) return renew(store, { logger, asJson: args.has('json') });
    const state = await migrateStore(store, { logger, apply: !args.has('status') });
    if (state === undefined) {
      tell(`stele: the store ${redactUrl(store)} has no schema to be migrated.`);
      return EXIT.ok;
    }
    if (args.has('json')) {
      await writeOut(`${JSON.stringify(state)}\n`);
    } else {
      for (const { name, appliedAt } of state.applied) await writeOut(`applied  ${name}  ${appliedAt}\n`);
      for (const name of state.pending) await writeOut(`pending  ${name}\n`);
    }
    return state.pending.length === 0 ? EXIT.ok : EXIT.failure;
  },
};

async function renew(store: string, options: { logger: Logger; asJson: boolean }): Promise<number> {
  const ids = await renewStoreLogId(store, options);
  if (ids === undefined) {
    tell(`stele: the log of ${redactUrl(store)} has no id that could be renewed.`);
    return EXIT.failure;
  }
  await writeOut(options.asJson ? `${JSON.stringify(ids)}\n` : `log ${ids.from} is now ${ids.to}\n`);
  return EXIT.ok;
}
