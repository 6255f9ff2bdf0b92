import type { AuditCondition, SentEvent } from './audit-history.ts';
import type { AuditQuery, Tags } from './audit-index.ts';
import type { Random } from './random.ts';

/**
 * What racing clients want: a small school with more pupils than seats, so that boundaries overlap by types
 * alone, by tags alone and by both, and one drawer for each client that nobody else touches.
 */
const TYPES = ['CourseDefined', 'CourseRenamed', 'StudentJoined', 'Enrolled', 'Left'] as const;
const COURSES = ['1', '2', '3', '4', '5'] as const;
const STUDENTS = ['1', '2', '3', '4', '5', '6', '7'] as const;

/** An append, ready to be sent as often as it takes. */
export interface Append {
  readonly name: string;
  readonly events: readonly SentEvent[];
  readonly conditions: readonly AuditCondition[];
  readonly key?: string;
}

export function drawQuery(draw: Random): AuditQuery {
  if (draw.chance(0.02)) return {};
  return { items: Array.from({ length: draw.pick([1, 1, 1, 2, 3]) }, () => drawItem(draw)) };
}

function drawItem(draw: Random): { types?: string[]; tags?: Tags } {
  const types = draw.some(TYPES, { min: 1, max: 3 });
  switch (draw.between(1, 4)) {
    case 1:
      return { types };
    case 2:
      return { tags: drawTags(draw) };
    default:
      return { types, tags: drawTags(draw) };
  }
}

function drawTags(draw: Random): Tags {
  const tags: Record<string, string | string[]> = {};
  if (draw.chance(0.7)) tags['course'] = draw.pick(COURSES);
  if (draw.chance(0.5)) tags['student'] = draw.pick(STUDENTS);
  else if (draw.chance(0.15)) tags['student'] = draw.some(STUDENTS, { min: 2, max: 3 });
  return Object.keys(tags).length === 0 ? { course: draw.pick(COURSES) } : tags;
}

/** A boundary that only one client writes into: an append guarded by it never fails. */
export function privateQuery(client: string): AuditQuery {
  return { items: [{ tags: { drawer: client } }] };
}

/** Draws appends for one client; names and tokens are unique in the run. */
export class Author {
  readonly #draw: Random;
  readonly #name: string;
  #written = 0;

  constructor(name: string, draw: Random) {
    this.#name = name;
    this.#draw = draw;
  }

  /**
   * @param options.ids whether the client names its events, which makes the append repeatable.
   * @param options.private writes into the client's own drawer only.
   * @param options.near a query that the first event should match, so that deciders meet.
   */
  append(options: {
    conditions?: readonly AuditCondition[];
    count?: number;
    ids?: boolean;
    key?: boolean;
    private?: boolean;
    near?: AuditQuery;
  }): Append {
    this.#written += 1;
    const name = `${this.#name}/${this.#written}`;
    const conditions = options.conditions ?? [];
    const events = Array.from({ length: options.count ?? 1 }, (_, part): SentEvent => {
      const { type, tags } = this.#subject(part === 0 ? options.near : undefined, options.private === true);
      return {
        ...(options.ids === true ? { id: this.#id() } : {}),
        type,
        tags,
        data: { token: `${name}#${part}`, conditions, ...this.#filling() },
      };
    });
    return { name, events, conditions, ...(options.key === true ? { key: `key-${name}` } : {}) };
  }

  /** Another request that takes the ids of one that exists. */
  impostor(original: Append): Append {
    const copy = this.append({ count: original.events.length, ids: true });
    const events = copy.events.map((event, part) => ({ ...event, id: original.events[part]?.id as string }));
    return { ...copy, events };
  }

  #subject(near: AuditQuery | undefined, isPrivate: boolean): { type: string; tags: Tags } {
    const draw = this.#draw;
    if (isPrivate) return { type: 'Noted', tags: { drawer: this.#name } };
    const item = near?.items === undefined || draw.chance(0.2) ? drawItem(draw) : draw.pick(near.items);
    return {
      type: item.types === undefined ? draw.pick(TYPES) : draw.pick(item.types),
      tags: { ...(draw.chance(0.6) ? drawTags(draw) : {}), ...item.tags },
    };
  }

  /** Something to carry: mostly little, sometimes enough to spread over pages and packets. */
  #filling(): Record<string, unknown> {
    const draw = this.#draw;
    if (draw.chance(0.9)) return {};
    return {
      note: '✎ "quoted"\n\t\\'.repeat(draw.pick([1, 10, 1000])),
      list: [1, -0.5, 1e21, null, true, {}],
    };
  }

  /** A UUID of version 7 out of the clock and the seed. */
  #id(): string {
    const digits = (count: number): string =>
      Array.from({ length: count }, () => this.#draw.between(0, 15).toString(16)).join('');
    const time = Date.now().toString(16).padStart(12, '0');
    return `${time.slice(0, 8)}-${time.slice(8)}-7${digits(3)}-${this.#draw.pick(['8', '9', 'a', 'b'])}${digits(3)}-${digits(12)}`;
  }
}
