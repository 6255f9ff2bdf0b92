import { check } from 'k6';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import { arrivals, issueEvent, params, pick, URL, users } from './settings.js';

/**
 * Server-Sent Events without extensions. k6 hands out an answer when it is complete, so
 *
 * - `catch-up` asks for streams that end (`follow=false`) again and again, each behind the last id of the one
 *   before, while `writer` appends: together they are one log, in order, nothing missing and nothing twice;
 * - `live` keeps streams open until their time is up. What they carry is not seen, but the service has to write it,
 *   and the others must not suffer.
 */
const delivered = new Counter('stele_events_delivered');
const HOLD = __ENV.HOLD || '5s';

export const options = {
  scenarios: {
    writer: arrivals(100, { exec: 'writer', preAllocatedVUs: 10, maxVUs: 40 }),
    catchUp: users(5, { exec: 'catchUp', vus: 5 }),
    live: users(50, { exec: 'live', gracefulStop: HOLD }),
  },
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    'http_req_duration{name:writer}': ['p(95)<150'],
    'http_req_duration{name:catch-up}': ['p(95)<300'],
    stele_events_delivered: ['count>0'],
  },
};

/** Everybody starts at the head of the log as it is now. */
export function setup() {
  const answer = http.get(`${URL}/v1/head`, params('head'));
  if (answer.status !== 200) throw new Error(`the head could not be read: ${answer.status} ${answer.body}`);
  return { start: answer.json('position') };
}

/** Two events make one commit. */
export function writer() {
  const event = issueEvent(pick(10_000));
  const events = [0, 1].map((part) => ({ ...event, data: { part } }));
  const answer = http.post(`${URL}/v1/events/batch`, JSON.stringify({ events }), params('writer'));
  check(answer, { 'is stored': ({ status }) => status === 201 });
}

/** Of each virtual user: the last position it has seen. */
let seen;

export function catchUp({ start }) {
  seen ??= start;
  const answer = http.get(`${URL}/v1/events/stream?after=${seen}&follow=false`, params('catch-up'));
  const frames =
    answer.status === 200 ? answer.body.split('\n\n').filter((frame) => frame.startsWith('id: ')) : [];
  const events = frames.filter((frame) => !frame.includes('\nevent: '));
  const positions = events.map((frame) => Number(frame.slice(4, frame.indexOf('\n'))));
  const from = seen;
  check(answer, {
    'is a stream': ({ status, headers }) =>
      status === 200 && headers['Content-Type'].startsWith('text/event-stream'),
    // Nothing is filtered and nobody else writes the system's own events here: the positions have no gaps.
    'goes on where the last one ended': () =>
      positions.every((position, index) => position === from + 1 + index),
    'says that it has caught up': ({ status, body }) => status === 200 && body.includes('event: caught-up'),
  });
  delivered.add(positions.length);
  seen = positions.at(-1) ?? seen;
}

/** Ends by its time, which k6 takes for a failure of the request and is none. */
export function live() {
  const request = params('live', { timeout: HOLD, responseCallback: null, responseType: 'none' });
  http.get(`${URL}/v1/events/stream?userIds=u${pick(500)}`, request);
}
