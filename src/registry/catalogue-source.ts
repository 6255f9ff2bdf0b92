import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Document, isCollection, isNode, isPair, isScalar, LineCounter, parseDocument } from 'yaml';

/** What is wrong with a file of a catalogue, and where. */
export interface CatalogueFault {
  /** As it was given, with the path inside of the folder. */
  readonly file: string;
  /** From 1; that of the innermost place that is there. */
  readonly line: number | undefined;
  /** JSON Pointer into the file. */
  readonly pointer: string;
  readonly detail: string;
}

/** A file of a catalogue: its value, and the line on which each part of that begins. */
export interface SourceFile {
  readonly file: string;
  /** Path inside of the catalogue, with `/`. */
  readonly place: string;
  readonly value: unknown;
  lineOf(pointer: string): number | undefined;
}

const EXTENSION = /\.(?:ya?ml|json)$/;
/** Aliases of YAML may make much out of little. */
const ALIASES_MAX = 1000;

/** `types/ISSUE.ASSIGNED.SUCCESS.yaml` → `ISSUE.ASSIGNED.SUCCESS`. */
export function stemOf(place: string): string {
  return path.posix.basename(place).replace(EXTENSION, '');
}

export function faultAt(source: SourceFile, pointer: string, detail: string): CatalogueFault {
  return { file: source.file, line: source.lineOf(pointer), pointer, detail };
}

/**
 * Every file of a catalogue, in the order of their paths. Hidden files and prose (`.md`) are passed over; any other
 * file that is no YAML and no JSON is a fault, for it was probably meant to be.
 */
export async function readSources(
  folder: string,
): Promise<{ sources: SourceFile[]; faults: CatalogueFault[] }> {
  const faults: CatalogueFault[] = [];
  const sources: SourceFile[] = [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const places = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
    .filter((place) => !/(?:^|\/)\./.test(place) && !place.endsWith('.md'))
    .sort();
  for (const place of places) {
    const file = path.join(folder, place);
    const text = await readFile(file, 'utf8');
    const result = EXTENSION.test(place)
      ? parse(text, { file, place })
      : [{ file, line: undefined, pointer: '', detail: 'is neither YAML nor JSON by its name' }];
    if (Array.isArray(result)) faults.push(...result);
    else sources.push(result);
  }
  return { sources, faults };
}

/** JSON is read as YAML too: it is a subset, and its lines are known then. */
function parse(
  text: string,
  { file, place }: { file: string; place: string },
): SourceFile | CatalogueFault[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, version: '1.2', prettyErrors: false });
  const faults = [...document.errors, ...document.warnings].map(({ message, pos }) => ({
    file,
    line: lines.linePos(pos[0]).line,
    pointer: '',
    detail: `is not YAML: ${message.split('\n')[0]}`,
  }));
  if (faults.length > 0) return faults;
  try {
    const value: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
    return { file, place, value, lineOf: (pointer) => lineOf(document, lines, pointer) };
  } catch (error) {
    const detail = `is not YAML: ${(error as Error).message}`;
    return [{ file, line: undefined, pointer: '', detail }];
  }
}

/** The line of the key that a pointer ends with, or of the last part of the way to it that is there. */
function lineOf(document: Document, lines: LineCounter, pointer: string): number | undefined {
  const names = pointer.split('/').slice(1);
  let node: unknown = document.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const name of names.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))) {
    if (!isCollection(node)) break;
    const item = node.items.find((one, index) =>
      isPair(one) ? String(isScalar(one.key) ? one.key.value : one.key) === name : String(index) === name,
    );
    if (item === undefined) break;
    const start = isPair(item) ? item.key : item;
    if (isNode(start) && start.range != null) offset = start.range[0];
    node = isPair(item) ? item.value : item;
  }
  return lines.linePos(offset).line;
}
