import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isSameJson } from '../../src/model/json-value.ts';
import { actorEvent, cloudEvent, type Json, streamEvent, workflowEvent } from '../envelopes/shapes.ts';
import { ONE, withoutPlace } from '../envelopes/stage.ts';
import type { Answer, Call } from '../helpers/caller.ts';
import { damaged, json, text } from './texts.ts';

/** Promises about events in other shapes, asked like all others. */
type Ask = (path: string, call?: Call) => Promise<Answer>;

const shaped = fc.oneof(
  cloudEvent.map((event) => [ONE.cloudevents, event] as const),
  streamEvent.map((event) => [ONE.stream, event] as const),
  workflowEvent.map((event) => [ONE.workflow, event] as const),
  actorEvent.map((event) => [ONE.actor, event] as const),
);

/** A damaged event that is taken all the same is read as it was sent. */
export const damagedShapes = (ask: Ask) =>
  fc.asyncProperty(
    shaped.chain(([type, event]) => fc.tuple(fc.constant(type), damaged(fc.constant(JSON.stringify(event))))),
    async ([type, body]) => {
      const answer = await ask('/v1/events', { method: 'POST', body, headers: { 'content-type': type } });
      if (answer.status !== 201) {
        assert.ok([400, 409, 413, 422].includes(answer.status), `refused with ${answer.status}`);
        return;
      }
      const { id } = JSON.parse(answer.text) as { id: string };
      const read = await ask(`/v1/events/${id}`, { headers: { accept: type } });
      const sent = JSON.parse(body.toString()) as Json;
      const shown = withoutPlace(JSON.parse(read.text) as Json);
      for (const [name, value] of Object.entries(sent)) {
        // Times change their form; what is null is not there; the own members of Stele may move.
        if (name === 'time' || name === 'timestamp' || name === 'stele' || name.startsWith('stele')) continue;
        if (value === null && type === ONE.cloudevents) continue;
        assert.ok(isSameJson(shown[name], value), `${name}: ${JSON.stringify(shown[name])}`);
      }
    },
  );

const headerValue = fc.oneof(
  text.map((value) => encodeURIComponent(value.replace(/\p{Cs}/gu, ''))),
  fc.stringMatching(/^[ -~]{0,20}$/),
  fc.constantFrom('%', '%C0%A0', '%zz', '"open', '"a\\"b"', '%ED%A0%80', '%00', '1.0'),
);

/** Headers of CloudEvents that are broken are refused; the service stays on its feet. */
export const brokenHeaders = (ask: Ask) =>
  fc.asyncProperty(
    fc.dictionary(
      fc.oneof(
        fc.constantFrom('ce-id', 'ce-source', 'ce-type', 'ce-time', 'ce-subject', 'ce-specversion'),
        fc.constantFrom('ce-steletags', 'ce-stelemetadata', 'ce-steleversion', 'ce-steleunset', 'ce-data'),
        fc.stringMatching(/^ce-[a-z0-9_-]{1,8}$/),
      ),
      headerValue,
      { maxKeys: 5 },
    ),
    fc.constantFrom('application/json', 'text/plain', 'image/png', 'application/xml', 'text/json'),
    fc.oneof(json, text),
    async (headers, type, body) => {
      const all = { 'ce-specversion': '1.0', 'ce-id': 'x', 'ce-source': 's', 'ce-type': 'T', ...headers };
      const answer = await ask('/v1/events', {
        method: 'POST',
        body,
        headers: { ...all, 'content-type': type },
      });
      assert.ok([201, 400, 409, 422].includes(answer.status), `${answer.status} ${answer.text}`);
    },
  );
