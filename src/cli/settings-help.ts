import { SETTINGS } from '../config.ts';
import { flagName, hasFlag, variableName } from '../config-sources.ts';
import { columns } from './terminal.ts';

/** The settings of the service with their flags, for the help of the verbs that read the configuration. */
export function settingsHelp(): string {
  const rows = [...SETTINGS].map(([key, schema]): [string, string] => {
    const name = hasFlag(key) ? `--${flagName(key)}` : variableName(key);
    const initial = schema['default'] === undefined ? '' : ` [${String(schema['default'])}]`;
    return [name, String(schema['description']).replaceAll('`', '') + initial];
  });
  const example = 'cache.ttlMs';
  return `Settings, also from the environment and from a file (--config, STELE_CONFIG, stele.yaml):

${columns(rows)}

Every setting has the same name in each place: --${flagName(example)}, ${variableName(example)} and
${example} in the file are one. Flags win over the environment, the environment over the file.`;
}
