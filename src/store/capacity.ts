import { statfs } from 'node:fs/promises';
import { LIMITS } from '../limits.ts';
import type { Metrics } from '../metrics.ts';
import { compileFilter } from '../model/filter.ts';
import type { Backend } from './store.ts';

/**
 * Figures about the store that have to be looked up: how large it is, how far back it reaches, whether it is well.
 *
 * Whoever shows the metrics asks for them, so a service that nobody watches looks nothing up. A look is shared by
 * everybody who asks within `capacityMaxAgeMs`, it takes a few reads on the pool for reads, and nobody waits long
 * for it: with a database that hangs the figures are those of the look before, and
 * `stele_store_sampled_timestamp_seconds` stands still.
 *
 * A figure that the store cannot tell is left out of the metrics: a free disk of 0 bytes would be an alarm.
 */
export class Capacity {
  readonly #backend: Backend;
  readonly #metrics: Metrics;
  #look: Promise<void> | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** Position of the oldest event whose time is known. It moves only with retention. */
  #oldest = 0;

  constructor(backend: Backend, { metrics }: { metrics: Metrics }) {
    this.#backend = backend;
    this.#metrics = metrics;
    for (const gauge of [
      metrics.storeReady,
      metrics.unsafeDurability,
      metrics.archiveFailing,
      metrics.oldestPosition,
      metrics.oldestTimestamp,
      metrics.diskFreeBytes,
      metrics.diskSizeBytes,
      metrics.sampledTimestamp,
      metrics.lastBackup,
    ]) {
      // A gauge without labels begins with a 0 that nobody measured.
      gauge.remove();
    }
  }

  /** Brings the gauges up to date, or starts to and gives up waiting. Never throws. */
  async sample(): Promise<void> {
    if (this.#look === undefined && performance.now() - this.#lookedAtMs >= LIMITS.capacityMaxAgeMs) {
      this.#lookedAtMs = performance.now();
      this.#look = this.#lookUp().finally(() => {
        this.#look = undefined;
      });
    }
    if (this.#look === undefined) return;
    let patience: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      patience = setTimeout(resolve, LIMITS.capacityWaitMs);
    });
    await Promise.race([this.#look, enough]);
    clearTimeout(patience);
  }

  async #lookUp(): Promise<void> {
    try {
      const { ready, checks } = await this.#backend.health();
      this.#metrics.storeReady.set(ready ? 1 : 0);
      if (checks['durability'] !== undefined) {
        this.#metrics.unsafeDurability.set(checks['durability'].ok ? 0 : 1);
      }
      if (checks['archive'] === undefined) this.#metrics.archiveFailing.remove();
      else this.#metrics.archiveFailing.set(checks['archive'].ok ? 0 : 1);
      if (!ready) return;
      await this.#lookAtSize();
      await this.#lookAtOldest();
      this.#metrics.sampledTimestamp.setToCurrentTime();
    } catch {
      // The figures stay as they are, and their timestamp tells.
    }
  }

  async #lookAtSize(): Promise<void> {
    const use = await this.#backend.storage?.();
    if (use === undefined) return;
    for (const [part, bytes] of Object.entries(use.bytes)) this.#metrics.storeBytes.set({ part }, bytes);
    if (use.folder === undefined) return;
    const { bavail, blocks, bsize } = await statfs(use.folder);
    this.#metrics.diskFreeBytes.set(bavail * bsize);
    this.#metrics.diskSizeBytes.set(blocks * bsize);
  }

  async #lookAtOldest(): Promise<void> {
    const { position, oldest } = await this.#backend.head();
    if (position < oldest) return;
    this.#metrics.oldestPosition.set(oldest);
    if (this.#oldest === oldest) return;
    const { events } = await this.#backend.read({
      filter: compileFilter({}),
      orderBy: 'position',
      direction: 'asc',
      limit: 1,
      offset: 0,
    });
    const [first] = events;
    if (first === undefined) return;
    this.#metrics.oldestTimestamp.set(Date.parse(first.recordedAt) / 1000);
    this.#oldest = oldest;
  }
}
