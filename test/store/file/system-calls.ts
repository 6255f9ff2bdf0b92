/** A system call that succeeded, as strace tells it. */
export interface SystemCall {
  readonly name: string;
  /** The path behind its first argument, whether that is a number or a name. */
  readonly path: string;
  /** All that stands between the brackets. */
  readonly arguments: string;
  /** Lines of the trace in which it began and ended. */
  readonly began: number;
  readonly ended: number;
}

/** Reads what `strace -f -y` wrote: calls in the order in which they ended. */
export function systemCalls(trace: string): SystemCall[] {
  const calls: SystemCall[] = [];
  const unfinished = new Map<string, { text: string; began: number }>();
  for (const [line, content] of trace.split('\n').entries()) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(content) ?? [];
    const start = /^(.*) <unfinished \.\.\.>$/.exec(rest);
    if (start !== null) {
      unfinished.set(thread, { text: start[1] ?? '', began: line });
      continue;
    }
    const end = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const before = end === null ? undefined : unfinished.get(thread);
    const text = end === null ? rest : `${before?.text ?? ''}${end[1] ?? ''}`;
    const parts = /^(\w+)\((.*)\) += (\d+)(?:<.*)?$/.exec(text);
    if (parts === null) continue;
    const [, name = '', inside = ''] = parts;
    // Of openat the first argument is the folder that a relative name would be in.
    const place = name === 'openat' ? inside.slice(inside.indexOf(',')) : inside;
    const path = /^\d+<([^>]*)>/.exec(place)?.[1] ?? /"([^"]*)"/.exec(place)?.[1] ?? '';
    calls.push({ name, path, arguments: inside, began: before?.began ?? line, ended: line });
  }
  return calls;
}

interface ManifestText {
  readonly sealed: readonly { readonly file: string; readonly compressedSize?: number }[];
  readonly open: { readonly file: string };
}

/**
 * Looks whether a store in this folder did things in the order in which a power failure at any moment is survived.
 * Gives what came too early.
 *
 * What was written is safe when a sync that began later has ended; a name is safe when the folder was synced after
 * it was made. An answer is what begins with a plus on standard output.
 */
export function orderFaults(calls: readonly SystemCall[], folder: string): string[] {
  const faults: string[] = [];
  /** Files with bytes, and names, that are not known to be on the disk, by the line since which they are not. */
  const bytes = new Map<string, number>();
  const names = new Map<string, number>();
  const made = new Set<string>();
  let draft: ManifestText | undefined;
  let renamed: ManifestText | undefined;
  let safe: ManifestText | undefined;
  const manifest = `${folder}/manifest.json`;
  const isSegment = (path: string) => path.endsWith('.jsonl');
  const nameOf = (path: string) => path.slice(folder.length + 1);
  const fault = (what: string, path: string) => faults.push(`${what} ${nameOf(path)}`);
  const settle = (unsafe: Map<string, number>, is: (path: string) => boolean, began: number) => {
    for (const [path, since] of unsafe) if (is(path) && since < began) unsafe.delete(path);
  };
  for (const { name, path, arguments: text, began, ended } of calls) {
    if (name === 'write' && text.includes('"+ ')) {
      for (const file of bytes.keys()) if (isSegment(file)) fault('answered before the sync of', file);
    }
    if (!path.startsWith(folder) || /index\.sqlite|\/lock|\/reserve/.test(path)) continue;
    switch (name) {
      case 'openat':
        if (!text.includes('O_EXCL')) break;
        names.set(path, ended);
        made.add(path);
        break;
      case 'pwrite64':
        if (path === `${manifest}.tmp`) draft = manifestIn(text);
        if (isSegment(path) && names.has(path)) fault('written to before its name was safe:', path);
        if (isSegment(path) && made.has(path) && safe?.open.file !== nameOf(path))
          fault('written to before the manifest on the disk said so:', path);
        bytes.set(path, ended);
        break;
      case 'fsync':
      case 'fdatasync':
        settle(bytes, (one) => one === path, began);
        if (path !== folder) break;
        if ((names.get(manifest) ?? began) < began) safe = renamed;
        settle(names, () => true, began);
        break;
      case 'rename': {
        const target = /, "([^"]*)"$/.exec(text)?.[1] ?? '';
        if (bytes.has(path)) fault('put into place before its sync:', target);
        if (target === manifest) {
          renamed = draft;
          for (const file of filesOf(draft)) {
            if (names.has(`${folder}/${file}`))
              fault('in the manifest before its name was safe:', `${folder}/${file}`);
          }
        }
        names.set(target, ended);
        if (!isSegment(target)) made.add(target);
        break;
      }
      case 'unlink':
        if (!isSegment(path) || !made.has(`${path}.gz`)) break;
        if (!filesOf(safe).includes(`${nameOf(path)}.gz`))
          fault('removed before the manifest on the disk named its other form:', path);
        break;
      case 'ftruncate':
        if (isSegment(path)) fault('cut instead of copied:', path);
    }
  }
  return faults;
}

/** The files that a manifest needs. */
function filesOf(manifest: ManifestText | undefined): string[] {
  if (manifest === undefined) return [];
  const sealed = manifest.sealed.map(({ file, compressedSize }) =>
    compressedSize === undefined ? file : `${file}.gz`,
  );
  return [...sealed, manifest.open.file];
}

/** The manifest out of the arguments of the call that wrote it. */
function manifestIn(text: string): ManifestText | undefined {
  const quoted = /, ("(?:[^"\\]|\\.)*"), \d+, 0$/.exec(text)?.[1];
  return quoted === undefined ? undefined : JSON.parse(JSON.parse(quoted)).content;
}
