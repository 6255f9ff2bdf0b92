import { rename, writeFile } from 'node:fs/promises';
import { Gauge, Registry } from 'prom-client';

/** What a figure of a run is called, and what it means. */
export interface Figure {
  readonly name: string;
  readonly help: string;
  readonly value: number;
}

/**
 * Writes the figures of a run where Prometheus' node exporter collects them (`--collector.textfile.directory`). The
 * file changes in one step, so that no half of it is ever collected.
 */
export async function writeTextfile(file: string, figures: readonly Figure[]): Promise<void> {
  const registry = new Registry();
  for (const { value, ...figure } of figures) new Gauge({ ...figure, registers: [registry] }).set(value);
  // The collector only looks at names that end with .prom.
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, await registry.metrics());
  await rename(draft, file);
}
