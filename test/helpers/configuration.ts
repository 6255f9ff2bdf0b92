import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Test } from 'tap';
import { ConfigError } from '../../src/config-error.ts';

/** A folder with files, gone when the test is. */
export function folder(t: Test, files: Record<string, string> = {}): string {
  const cwd = mkdtempSync(path.join(tmpdir(), 'stele-config-'));
  t.teardown(() => rmSync(cwd, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(cwd, name), text);
  return cwd;
}

/** What is wrong with a configuration, a line each. */
export function faultsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  throw new Error('the configuration was accepted');
}
