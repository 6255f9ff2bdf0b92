import { existsSync } from 'node:fs';
import path from 'node:path';

/** The folder of the project, whether this runs compiled (`dist/bench/…`) or as it is. */
export const ROOT = findRoot(import.meta.dirname);

function findRoot(folder: string): string {
  if (existsSync(path.join(folder, 'package.json'))) return folder;
  const parent = path.dirname(folder);
  if (parent === folder) throw new Error('There is no package.json above the benchmark.');
  return findRoot(parent);
}
