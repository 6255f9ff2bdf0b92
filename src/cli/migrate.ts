import { pino } from 'pino';
import { loadConfig, redactUrl } from '../config.ts';
import { migrateStore } from '../store/open.ts';
import { type Command, EXIT, readArguments } from './command.ts';
import { settingsHelp } from './settings-help.ts';
import { tell, writeOut } from './terminal.ts';

export const command: Command = {
  summary: 'bring the schema of the store up to date',

  help: () => `Usage: stele migrate [--status] [--json] [settings]

Applies the migrations that the store lacks, each in a transaction of its own, under a lock: several at once do no
harm. serve does the same when it starts; this is for a role that may change the schema where the service's may not.

  --status   only say what is applied and what is not; exit code 1 when something is not
  --json     the state as one JSON object

Examples:
  stele migrate --store postgres://owner@db.example/stele
  STELE_STORE_FILE=/run/secrets/owner-url stele migrate --status

${settingsHelp()}`,

  async run(argv) {
    const args = readArguments(argv, { status: 'switch', json: 'switch' }, { allowOthers: true });
    const { store, logLevel } = loadConfig({ argv: args.others });
    const logger = pino({ level: logLevel }, pino.destination({ fd: 2, sync: true }));
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
