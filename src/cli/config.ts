import { checkKeysFile } from '../access/identity.ts';
import { effective, loadConfig } from '../config.ts';
import { type Command, EXIT, readArguments } from './command.ts';
import { settingsHelp } from './settings-help.ts';
import { writeOut } from './terminal.ts';

export const command: Command = {
  summary: 'print the configuration that the service would run with',

  help: () => `Usage: stele config [--json] [settings]

Prints every setting with its value and where that comes from, secrets redacted. Fails as serve
would for a setting or a keys file that is not valid; the store is not opened.

  --json     one JSON object instead of a table

Examples:
  stele config
  STELE_STORE=postgres://stele@db/stele stele config --port 8080 --json

${settingsHelp()}`,

  async run(argv) {
    const args = readArguments(argv, { json: 'switch' }, { allowOthers: true });
    const settings = effective({ argv: args.others });
    const { access, keysFile } = loadConfig({ argv: args.others });
    if (access === 'keys' && keysFile !== undefined) checkKeysFile(keysFile);
    if (args.has('json')) {
      const entries = settings.map(({ key, value, source }) => [key, { value, source }]);
      await writeOut(`${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`);
      return EXIT.ok;
    }
    const rows = settings.map(({ key, value, source }) => [
      key,
      value === null ? '-' : String(value),
      source,
    ]);
    const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
    for (const [key = '', value = '', source = ''] of rows) {
      await writeOut(`${key.padEnd(widths[0] ?? 0)}  ${value.padEnd(widths[1] ?? 0)}  ${source}\n`);
    }
    return EXIT.ok;
  },
};
