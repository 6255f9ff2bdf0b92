import { type Static, Type } from '@sinclair/typebox';
import type { FastifyReply } from 'fastify';
import { allows } from '../src/access/policy.ts';
import { StoreError } from '../src/errors.ts';
import { linesOf } from '../src/feed/lines.ts';
import type { ScanGate } from '../src/feed/scan-gate.ts';
import { LIMITS } from '../src/limits.ts';
import { CODECS } from '../src/model/envelopes/envelope.ts';
import { type Filter, PageMembers } from '../src/model/filter.ts';
import { frameEvent } from '../src/store/framing.ts';
import { cursorOf, type PinnedRead, pinRead, readPage, refuseCompacted } from '../src/store/pages.ts';
import type { Backend } from '../src/store/store.ts';
import { JSON_TYPE, sendText } from './answer.ts';
import type { Service } from './context.ts';
import { follow } from './follow.ts';
import { LINE_TYPES, sendLines } from './lines.ts';
import { nextLink, positionHeader, ReadParameters, readyToRead, renderEvents } from './read.ts';
import { LIST_TYPES, shownPage, ViewParameters, viewFor } from './views.ts';

/**
 * The answer of every route that reads many events: a page as JSON, a page or everything as lines, or lines that
 * go on live.
 */
export const PAGE_TYPES: readonly string[] = [JSON_TYPE, ...LINE_TYPES, ...LIST_TYPES];

/** What a read that follows the log can be refused for. */
export const PAGE_ERRORS = ['POSITION_AHEAD', 'COMPACTED'] as const;

/** What a read says beside its filter and its page: in the query string, also where the filter is a body. */
export const ReadOptions = {
  ...ReadParameters,
  ...ViewParameters,
  explain: Type.Optional(
    Type.Boolean({
      description:
        'Tell how the read was executed: the side chosen, the rows examined, a hint. For operators.',
    }),
  ),
  follow: Type.Optional(
    Type.Boolean({
      description: 'With NDJSON: go on live when all that is stored has been sent.',
    }),
  ),
};
const Options = Type.Object(ReadOptions);
const Members = Type.Object(PageMembers);

export interface PageRead {
  readonly filter: Filter;
  /** `after` where the client gave one. */
  readonly after: number | undefined;
  readonly page: Static<typeof Members>;
  readonly options: Static<typeof Options>;
  /** What to call a member in faults: a JSON Pointer into a body, or `?name`. */
  readonly pointerTo: (member: string) => string;
  /** Target of the link to the next page; absent where that is not a GET. */
  readonly linkTo?: (cursor: string) => string;
}

/** Reads near the head are answered from memory where the window of recent events reaches from there to the pin. */
function nearestFirst({ appender, backend }: Service, { pin, removed }: PinnedRead): Pick<Backend, 'read'> {
  return {
    read: async (query) => {
      const events = appender.recent(query, { position: pin, removed });
      return events === undefined ? backend.read(query) : { events };
    },
  };
}

export async function answerRead(
  service: Service,
  reply: FastifyReply,
  read: PageRead,
  downloads: ScanGate,
): Promise<void> {
  const { filter, page, options } = read;
  const { backend } = service;
  const { type, envelope } = shownPage(reply.request.headers.accept, options);
  const isLines = LINE_TYPES.includes(type);
  refuseMisplaced(read, type);
  if (options.explain === true) requireOperator(reply);
  await readyToRead(service, reply, options);
  const view = await viewFor(service, envelope, options);
  if (options.follow === true) {
    // Lines have no frame that could tell of a gap.
    refuseCompacted({ after: read.after }, (await backend.head()).oldest);
    const place = { after: filter.after };
    return follow(service, reply.request, reply, {
      filter,
      place,
      live: true,
      framing: 'ndjson',
      type,
      view,
    });
  }
  const pinned = await pinRead(backend, {
    filter,
    orderBy: page.orderBy,
    direction: page.orderDirection,
    offset: page.offset,
    after: read.after,
    cursor: page.cursor,
    pointerTo: read.pointerTo,
  });
  // A store that has not yet seen the pin would end the read early, and nobody would know.
  if (page.cursor !== undefined) await readyToRead(service, reply, { atLeast: pinned.pin });
  const position = positionHeader(pinned.pin);
  if (isLines && page.limit === undefined) {
    const lines = linesOf(backend, pinned, { gate: downloads, view });
    return sendLines(reply, lines, { type, headers: [...position, ...VARY] });
  }
  const { limit = LIMITS.pageSizeDefault } = page;
  const { events, rest, explain } = await readPage(nearestFirst(service, pinned), pinned, {
    limit,
    explain: options.explain === true,
  });
  const next = cursorOf(backend, rest);
  const headers = [...position, ...VARY, ...nextLink(next === null ? undefined : read.linkTo?.(next))];
  if (isLines) {
    const lines = events.map((event) => frameEvent(event, 'ndjson', view)).join('');
    return sendText(reply, 200, `${type}; charset=utf-8`, lines, headers);
  }
  const list = renderEvents(events, view);
  if (type !== JSON_TYPE && envelope !== undefined && CODECS[envelope].isBareList) {
    return sendText(reply, 200, type, list, [...headers, ...(next === null ? [] : ['Stele-Next', next])]);
  }
  const explanation = explain === undefined ? '' : `,"explain":${JSON.stringify(explain)}`;
  sendText(
    reply,
    200,
    type,
    `{"events":${list},"next":${JSON.stringify(next)},"position":${pinned.pin}${explanation}}`,
    headers,
  );
}

const VARY = ['Vary', 'Accept'] as const;

/** A member that would have no effect where it stands is a mistake of the caller. */
function refuseMisplaced({ filter, page, options, pointerTo }: PageRead, type: string): void {
  const faults: { pointer: string; detail: string }[] = [];
  const isLines = LINE_TYPES.includes(type);
  if (options.explain === true && type !== JSON_TYPE) {
    faults.push({ pointer: '?explain', detail: 'belongs to application/json' });
  }
  if (options.follow === true) {
    if (!isLines) faults.push({ pointer: '?follow', detail: 'belongs to `Accept: application/x-ndjson`' });
    for (const member of ['limit', 'offset', 'cursor', 'orderBy', 'orderDirection'] as const) {
      if (page[member] === undefined) continue;
      faults.push({ pointer: pointerTo(member), detail: 'does not belong to a read that follows the log' });
    }
    if (filter.before !== Number.MAX_SAFE_INTEGER) {
      faults.push({ pointer: pointerTo('before'), detail: 'does not belong to a read that follows the log' });
    }
  }
  const [first] = faults;
  if (first === undefined) return;
  throw new StoreError('VALIDATION_FAILED', `The read is not valid: ${first.pointer} ${first.detail}.`, {
    faults,
  });
}

function requireOperator(reply: FastifyReply): void {
  const { caller } = reply.request;
  if (caller !== null && allows(caller, 'operate')) return;
  throw new StoreError('FORBIDDEN', 'Only operators may ask how a read is executed.');
}
