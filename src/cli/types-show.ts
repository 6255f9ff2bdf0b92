import { stringify } from 'yaml';
import { StoreError } from '../errors.ts';
import { mergeCatalogues } from '../registry/catalogue.ts';
import type { RegisteredType } from '../registry/catalogue-difference.ts';
import { didYouMean } from '../spelling.ts';
import { soundCatalogues } from './catalogue-folders.ts';
import { type Arguments, type Command, EXIT, readArguments, UsageError } from './command.ts';
import { CONNECTION_FLAGS, CONNECTION_HELP } from './connection.ts';
import { connectRegistry } from './registered-types.ts';
import { writeOut } from './terminal.ts';

export const command: Command = {
  summary: 'a type with its schemas, as a file of a catalogue',

  help: () => `Usage: stele types show <type> [--from <folder>]… [--json]

Writes a type with its settings and all of its versions, in the form of a file in types/ of a catalogue: what was
registered by request becomes a file so. Everything that a catalogue would say for all of its types is written out.

  --from <folder>   from a catalogue in place of a service; may be repeated
  --json            as JSON

${CONNECTION_HELP}

Examples:
  stele types show ISSUE.ASSIGNED.SUCCESS
  stele types show invoice.created > catalogues/billing/types/invoice.created.yaml`,

  async run(argv) {
    const args = readArguments(
      argv,
      { ...CONNECTION_FLAGS, from: 'values', json: 'switch' },
      { positionalsMax: 1 },
    );
    const [name] = args.positionals;
    if (name === undefined) throw new UsageError('Name the type, such as ISSUE.ASSIGNED.SUCCESS.');
    const found = await find(name, args);
    if (found === undefined) return EXIT.refused;
    const { settings, versions } = found;
    const file = { type: name, ...settings, versions: versions.map(shown) };
    await writeOut(args.has('json') ? `${JSON.stringify(file)}\n` : stringify(file, YAML));
    return EXIT.ok;
  },
};

const YAML = { lineWidth: 110, aliasDuplicateObjects: false };

async function find(name: string, args: Arguments): Promise<RegisteredType | undefined> {
  const folders = args.values('from');
  if (folders.length === 0) {
    const client = connectRegistry(args);
    return (
      (await client.type(name)) ??
      missing(
        name,
        (await client.list()).map(({ type }) => type),
      )
    );
  }
  const catalogues = await soundCatalogues(folders);
  if (catalogues === undefined) return undefined;
  const { types } = mergeCatalogues(catalogues);
  return types.get(name) ?? missing(name, [...types.keys()]);
}

function missing(name: string, known: readonly string[]): never {
  const others = known.filter((type) => type !== name);
  const detail = known.includes(name) ? 'is in the log, but not registered' : 'is not registered';
  throw new StoreError('NOT_FOUND', `The type ${name} ${detail}.${didYouMean(name, others)}`);
}

/** What a file says of a version: not when it was registered, nor what is empty. */
function shown({
  version,
  schema,
  tagsSchema,
  metadataSchema,
  upcast = [],
  examples = [],
}: RegisteredType['versions'][number]) {
  return {
    version,
    schema,
    ...(tagsSchema === undefined ? {} : { tagsSchema }),
    ...(metadataSchema === undefined ? {} : { metadataSchema }),
    ...(upcast.length === 0 ? {} : { upcast }),
    ...(examples.length === 0 ? {} : { examples }),
  };
}
