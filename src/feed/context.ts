import type { StoreError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { Filter } from '../model/filter.ts';
import type { View } from '../model/view.ts';
import type { Backend, Framing } from '../store/store.ts';
import type { FanOut } from './fan-out.ts';
import type { Follower } from './follower.ts';
import type { Frame } from './frame.ts';
import type { PinnedBlocks } from './pinned-blocks.ts';
import type { ScanGate } from './scan-gate.ts';
import type { Sink } from './sink.ts';
import type { Tail } from './tail.ts';

/** Where a stream is asked to start. A time is canonical. */
export type Place = { readonly after: number } | { readonly recordedUpTo: string } | 'now';

/** Where a stream starts, and the state of the log at that moment. */
export interface Start {
  /** Events after this position are sent. */
  readonly position: number;
  readonly head: number;
  /** First position that is still stored. */
  readonly oldest: number;
  /** Events are sent from the first on that is recorded later. Only where none of the log at that moment was. */
  readonly recordedAfter?: string;
}

export interface FollowOptions {
  /** `after` of the filter does not count, `start` does. */
  readonly filter: Filter;
  readonly start: Start;
  /** False: the stream ends at the head as it was at `start`. */
  readonly live: boolean;
  /** `sse` comes with control frames and comments, `ndjson` with nothing but events. */
  readonly framing: Framing;
  /** How events are shown; absent: the canonical view. */
  readonly view?: View | undefined;
  readonly sink: Sink;
  /** Path of the request, for the problem document of a stream that fails midway. */
  readonly instance: string;
}

/** What all streams of a service share. */
export interface FollowContext {
  readonly backend: Backend;
  readonly tail: Tail;
  readonly fanOut: FanOut;
  readonly scanGate: ScanGate;
  readonly pinned: PinnedBlocks;
  readonly timing: FeedTiming;
  readonly metrics: Metrics;
  /** A clock that is cheap to read and a tick behind at most. */
  readonly nowMs: () => number;
  /** The frame that names a position; one for all streams that stand there. */
  readonly checkpoint: (position: number) => Frame;
  readonly onClose: (follower: Follower) => void;
  /** Called when the store failed a stream. */
  readonly onFailure: (error: StoreError, position: number) => void;
}

export interface FeedTiming {
  readonly streamBufferBytesMax: number;
  readonly streamPieceBytes: number;
  readonly streamPatienceMs: number;
  readonly streamStallMsMax: number;
  readonly streamScansMax: number;
  readonly streamScanTurnMs: number;
  readonly streamScanIdleMs: number;
  readonly streamPinnedBytesMax: number;
  readonly streamRetryMs: number;
  readonly heartbeatMs: number;
  readonly checkpointMs: number;
  readonly tickMs: number;
}
