import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Growth that is always allowed, and the share of what is in use that is allowed when it is more. */
const ROOM_BYTES = 64 * 1024 * 1024;
const PERCENT_MIN = 50;
const LOOKED_AT_MS = 1000;

/**
 * Keeps the heap of the process near to what is in use.
 *
 * V8 lets it grow to a multiple of that before it collects, up to gigabytes on a machine that has them, and whoever says
 * maxMemorySize wants the process to stay near it: half as much again is enough. A small heap is left more room, for
 * buffers that are garbage already count until the next small collection: pages of scattered events inflated so many
 * that every twentieth waited for a full one.
 *
 * Not while the index is built anew, which leaves much behind and would take longer.
 *
 * @returns the way to stop looking; the last limit stays.
 */
export function keepHeapNearUse(): () => void {
  let percent = 0;
  const look = () => {
    const wanted = Math.max(PERCENT_MIN, Math.round((ROOM_BYTES / oldBytes()) * 100));
    if (wanted === percent) return;
    percent = wanted;
    setFlagsFromString(`--heap-growing-percent=${percent}`);
  };
  look();
  const timer = setInterval(look, LOOKED_AT_MS).unref();
  return () => clearInterval(timer);
}

/** Bytes of what the small collections leave alone. */
function oldBytes(): number {
  return getHeapSpaceStatistics()
    .filter(({ space_name }) => !space_name.startsWith('new_'))
    .reduce((sum, { space_used_size }) => sum + space_used_size, 0);
}
