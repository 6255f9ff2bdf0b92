import type { Frame } from './frame.ts';

/**
 * Where a stream of the log goes: a connection, seen from the feed.
 *
 * A sink takes one frame and holds what the other side has not read of it. Whoever writes waits then: what comes
 * behind is not queued here but stays in the log, where it costs nothing.
 */
export interface Sink {
  /** Since when the other side has taken nothing, although something waits for it; undefined while nothing waits. */
  readonly stalledSinceMs: number | undefined;
  /** Takes a frame. False when part of it waits: the next one may be written after `drained`. */
  write(frame: Frame): boolean;
  /** Ends the stream in order. Nothing may wait. `close` ends the connection with it. */
  end(options: { close: boolean }): void;
  /** Cuts the connection at once, and lets go of what waits. */
  destroy(): void;
  /** Names who is to be told: once for `closed`, by either side; `drained` whenever nothing waits any more. */
  listen(listener: SinkListener): void;
}

export interface SinkListener {
  drained(): void;
  closed(): void;
}
