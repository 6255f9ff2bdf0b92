import { stat } from 'node:fs/promises';
import { type Catalogue, readCatalogue } from '../registry/catalogue.ts';
import { checkCatalogues } from '../registry/catalogue-check.ts';
import type { CatalogueFault } from '../registry/catalogue-source.ts';
import { SchemaCompiler } from '../registry/schema-compiler.ts';
import { TypeSchemas } from '../registry/type-schemas.ts';
import { UsageError } from './command.ts';
import { tell } from './terminal.ts';

export interface CheckedFolders {
  readonly catalogues: readonly Catalogue[];
  /** In the order of the files and their lines. */
  readonly faults: readonly CatalogueFault[];
}

/** Reads folders as catalogues and checks all that can be checked without a service. @throws UsageError */
export async function checkFolders(folders: readonly string[]): Promise<CheckedFolders> {
  const faults: CatalogueFault[] = [];
  const catalogues: Catalogue[] = [];
  for (const folder of await requireFolders(folders)) {
    const found = await readCatalogue(folder);
    catalogues.push(found.catalogue);
    faults.push(...found.faults);
  }
  const compiler = new SchemaCompiler();
  compiler.start();
  try {
    faults.push(...(await checkCatalogues(catalogues, { schemas: new TypeSchemas(compiler) })));
  } finally {
    await compiler.stop();
  }
  faults.sort((a, b) => compare(a.file, b.file) || (a.line ?? 0) - (b.line ?? 0));
  return { catalogues, faults };
}

/** The catalogues of folders in which nothing is at fault; undefined, and told what is, otherwise. */
export async function soundCatalogues(folders: readonly string[]): Promise<readonly Catalogue[] | undefined> {
  const { catalogues, faults } = await checkFolders(folders);
  if (faults.length === 0) return catalogues;
  for (const fault of faults) tell(faultLine(fault));
  tell(`stele: ${counted(faults.length, 'fault')}; nothing was done.`);
  return undefined;
}

/** `catalogues/x/types/A.B.yaml:12 /versions/0/schema is …`: editors and terminals make a link of the beginning. */
export function faultLine({ file, line, pointer, detail }: CatalogueFault): string {
  return [`${file}${line === undefined ? '' : `:${line}`}`, pointer, detail]
    .filter((part) => part !== '')
    .join(' ');
}

/** `1 type`, `2 types`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

async function requireFolders(folders: readonly string[]): Promise<readonly string[]> {
  if (folders.length === 0)
    throw new UsageError('Name the folder of a catalogue, such as catalogues/development.');
  for (const folder of folders) {
    const found = await stat(folder).catch((error: NodeJS.ErrnoException) => {
      throw new UsageError(`${folder}: cannot be read (${error.code}).`);
    });
    if (!found.isDirectory()) throw new UsageError(`${folder}: is not a folder.`);
  }
  return folders;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
