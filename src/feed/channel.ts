import { digestFilter } from '../model/cursor.ts';
import type { Filter } from '../model/filter.ts';
import type { Follower } from './follower.ts';
import type { Ring } from './ring.ts';
import { type Form, type Run, type Selection, type Span, select } from './run.ts';

/** All streams with the same filter and form: what one of them is sent, all of them are. */
export class Channel {
  readonly key: string;
  readonly form: Form;
  /** Undefined where nothing but the system's own events is left out: then whole runs are passed on. */
  readonly filter: Filter | undefined;
  /** Streams that have been sent everything so far. They have no place of their own: it is the fan-out's. */
  readonly live = new Set<Follower>();
  /** Streams that were live and wait for their consumers to read. */
  readonly lagging = new Set<Follower>();
  /** Bytes selected so far; the difference to an earlier value is what a lagging stream has waiting. */
  totalBytes = 0;
  members = 0;
  /** The last part that was put together for a stream that lags: those that lag alike share it. */
  #part: { readonly after: number; readonly part: Part } | undefined;

  constructor(key: string, filter: Filter, form: Form) {
    this.key = key;
    this.form = form;
    this.filter = constrains(filter) ? filter : undefined;
  }

  select(runs: readonly Run[], span: Span): Selection | undefined {
    return select(runs, this.form, this.filter, span);
  }

  /**
   * The next part of what lies between a place in the ring and `until`, about as large as `bytesMax`. A part ends
   * with a run, unless `until` lies inside of one.
   */
  partOf(ring: Ring, span: Span, bytesMax: number): Part {
    const known = this.#part;
    if (known !== undefined && known.after === span.after && known.part.through <= span.until)
      return known.part;
    const runs: Run[] = [];
    let bytes = 0;
    let through = span.until;
    for (const run of ring.between(span)) {
      if (bytes >= bytesMax) {
        through = run.after;
        break;
      }
      runs.push(run);
      // Of a filtered stream not all of it will be sent; the estimate only decides where to cut.
      bytes += run.bytes / 2;
    }
    const part = { through, selection: this.select(runs, { after: span.after, until: through }) };
    this.#part = { after: span.after, part };
    return part;
  }

  /** Lets go of what is kept for streams that lag, when there are none. */
  forget(): void {
    this.#part = undefined;
  }
}

export interface Part {
  /** Where the part ends; everything up to here has been looked at. */
  readonly through: number;
  readonly selection: Selection | undefined;
}

/** Equal for streams that are sent the same. Where a stream started makes no difference to what comes next. */
export function channelKey(filter: Filter, form: Form): string {
  return `${form.key} ${digestFilter({ ...filter, after: 0 })}`;
}

function constrains(filter: Filter): boolean {
  return (
    filter.items !== undefined ||
    filter.ids !== undefined ||
    filter.types !== undefined ||
    filter.sides.length > 0 ||
    filter.from !== undefined ||
    filter.to !== undefined ||
    filter.before !== Number.MAX_SAFE_INTEGER
  );
}

/**
 * Finds the channels that an event may be for without asking each: ten thousand streams that follow an issue each
 * would otherwise be ten thousand comparisons for every event. A channel is entered under keys of which every
 * event that it wants has at least one.
 */
export class ChannelIndex {
  readonly #byTerm = new Map<string, Set<Channel>>();
  readonly #byType = new Map<string, Set<Channel>>();
  readonly #byId = new Map<string, Set<Channel>>();
  readonly #others = new Set<Channel>();

  add(channel: Channel): void {
    for (const [map, key] of this.#places(channel)) {
      const channels = map.get(key);
      if (channels === undefined) map.set(key, new Set([channel]));
      else channels.add(channel);
    }
  }

  delete(channel: Channel): void {
    for (const [map, key] of this.#places(channel)) {
      const channels = map.get(key);
      channels?.delete(channel);
      if (channels?.size === 0) map.delete(key);
    }
    this.#others.delete(channel);
  }

  /** Every channel that wants one of the events, and some that do not. */
  candidates(runs: readonly Run[]): Set<Channel> {
    const found = new Set(this.#others);
    if (this.#byTerm.size + this.#byType.size + this.#byId.size === 0) return found;
    for (const run of runs) {
      for (const event of run.events) {
        collect(this.#byType.get(event.type), found);
        collect(this.#byId.get(event.id), found);
        if (this.#byTerm.size === 0) continue;
        for (const term of event.terms) collect(this.#byTerm.get(term), found);
      }
    }
    return found;
  }

  #places(channel: Channel): [Map<string, Set<Channel>>, string][] {
    const { filter } = channel;
    const places: [Map<string, Set<Channel>>, string][] = [];
    const side = filter?.sides[0];
    if (side !== undefined) {
      for (const term of side) places.push([this.#byTerm, term]);
    } else if (filter?.ids !== undefined) {
      for (const id of filter.ids) places.push([this.#byId, id]);
    } else if (filter?.types?.every((type) => !type.prefix) === true) {
      for (const type of filter.types) places.push([this.#byType, type.text]);
    } else if (filter?.items !== undefined) {
      for (const { types, terms } of filter.items) {
        if (terms[0] !== undefined) places.push([this.#byTerm, terms[0]]);
        else for (const type of types ?? []) places.push([this.#byType, type]);
      }
    } else {
      this.#others.add(channel);
    }
    return places;
  }
}

function collect(channels: Set<Channel> | undefined, into: Set<Channel>): void {
  if (channels !== undefined) for (const channel of channels) into.add(channel);
}
