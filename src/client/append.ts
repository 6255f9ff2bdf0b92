import type { Envelope } from '../model/envelopes/envelope.ts';
import { formOf } from './envelope.ts';
import { SteleError } from './error.ts';
import type { Appended, AppendOptions } from './event.ts';
import { newEventId } from './event-id.ts';
import type { Call, Transport } from './transport.ts';

/** An event in whatever shape: what it holds is the caller's and the service's business. */
type Shaped = object;
type Options = AppendOptions<Envelope | undefined>;

/** The answer to a single event, and to a batch. */
type SingleAnswer = Appended['events'][number] & { readonly recordedAt: string };
type BatchAnswer = Omit<Appended, 'replayed'>;

/**
 * Appends, and appends the same again for as long as it is not known to be stored: the ids are chosen before the
 * first try, so that any number of tries store the events once. With an Idempotency-Key it is the key that does
 * this; the ids are then left to the service, as the next call with this key has to send the same body.
 *
 * @throws SteleError APPEND_CONDITION_FAILED, DUPLICATE_EVENT, VALIDATION_FAILED, …; OUTCOME_UNKNOWN with the ids
 *   when the time for tries is over before it is known what became of the first.
 */
export async function append(
  transport: Transport,
  input: Shaped | readonly Shaped[],
  options: Options,
): Promise<Appended> {
  const { call, ids } = prepare(input, options);
  try {
    const { body, response } = await transport.json<SingleAnswer | BatchAnswer>(call);
    const replayed = response.headers.get('idempotent-replayed') === 'true';
    if ('events' in body) return { ...body, replayed };
    const { id, position, recordedAt, added } = body;
    return {
      firstPosition: position,
      lastPosition: position,
      recordedAt,
      events: [{ id, position, ...(added && { added }) }],
      replayed,
    };
  } catch (error) {
    throw asOutcome(error, ids);
  }
}

/** Goes through every check of an append and stores nothing. Throws what the append would throw. */
export async function checkAppend(
  transport: Transport,
  input: Shaped | readonly Shaped[],
  options: Options,
): Promise<void> {
  const { call } = prepare(input, options);
  await transport.json({ ...call, query: { ...call.query, dryRun: true } });
}

function prepare(
  input: Shaped | readonly Shaped[],
  options: Options,
): { call: Call; ids: string[] | undefined } {
  const { envelope, idempotencyKey, conditions, log, signal } = options;
  const form = formOf(envelope);
  const given = isList(input) ? input : [input];
  const isCompleted = idempotencyKey === undefined && form.isIdOptional;
  const events = isCompleted ? given.map((event) => withId(event, form.idMember)) : given;
  const isSingle = !isList(input) && conditions === undefined && log === undefined;
  const isBareList = form.isBareList && !isSingle;
  const call: Call = {
    method: 'POST',
    path: isSingle ? '/v1/events' : '/v1/events/batch',
    query: isBareList ? { conditions: conditions && JSON.stringify(conditions), log } : {},
    body: isSingle ? { ...events[0] } : isBareList ? events : { events, conditions, log },
    headers: {
      'content-type': isSingle ? form.type : form.listType,
      'idempotency-key': idempotencyKey === undefined ? undefined : quoted(idempotencyKey),
    },
    signal,
  };
  const ids = events.map((event) => String(Reflect.get(event, form.idMember) ?? ''));
  return { call, ids: idempotencyKey === undefined ? ids : undefined };
}

function isList(input: Shaped | readonly Shaped[]): input is readonly Shaped[] {
  return Array.isArray(input);
}

function withId(event: Shaped, idMember: string): Shaped {
  return Reflect.get(event, idMember) === undefined ? { ...event, [idMember]: newEventId() } : event;
}

/** A String of RFC 9651, which is what a key travels as. */
function quoted(key: string): string {
  return `"${key.replace(/["\\]/g, '\\$&')}"`;
}

/** No answer to an append is more than a failure of the network: it may have been stored. */
function asOutcome(error: unknown, ids: readonly string[] | undefined): unknown {
  if (!(error instanceof SteleError) || error.code !== 'UNREACHABLE') return error;
  const detail = `It is not known whether the events were stored. ${error.message}`;
  return new SteleError('OUTCOME_UNKNOWN', detail, {
    status: error.status,
    problem: {
      type: 'about:blank',
      title: detail,
      status: error.status,
      detail,
      code: 'OUTCOME_UNKNOWN',
      ...(ids && { ids }),
    },
    cause: error,
  });
}
