import { check } from 'k6';
import { scenario } from 'k6/execution';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import { params, URL, users } from './settings.js';

/**
 * Many users take seats, each seat once: a condition without `after`. Four ask for the same seat at about the same
 * time. Afterwards the log is counted: whatever the latencies, a seat that was taken twice fails the run.
 */
const ASK_FOR_A_SEAT = Number(__ENV.ASK || 4);
const held = new Counter('stele_conditions_held');
const failed = new Counter('stele_conditions_failed');

export const options = {
  scenarios: { take: users(32) },
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    'http_req_duration{name:take}': ['p(95)<150', 'p(99)<400'],
    stele_conditions_held: ['count>0'],
    stele_conditions_failed: ['count>0'],
  },
};

/** Made once: what stands at the top of a script is run anew for each user. */
export function setup() {
  return { run: `run-${Date.now().toString(36)}` };
}

/** A condition that fails is an answer, not a failure. */
const answers = http.expectedStatuses(200, 201, 409);

export default function ({ run }) {
  const seat = `${run}-${Math.floor(scenario.iterationInTest / ASK_FOR_A_SEAT)}`;
  const body = {
    events: [{ type: 'SEAT.TAKEN', tags: { run, seat }, data: { by: `user-${__VU}` } }],
    conditions: [{ failIfEventsMatch: { items: [{ types: ['SEAT.TAKEN'], tags: { seat } }] } }],
  };
  const request = params('take', { responseCallback: answers });
  const answer = http.post(`${URL}/v1/events/batch`, JSON.stringify(body), request);
  if (answer.status === 201) held.add(1);
  else if (answer.status === 409) failed.add(1);
  check(answer, {
    'is taken, or was taken by another': ({ status }) => status === 201 || status === 409,
    'says which event was in the way': ({ status }) =>
      status !== 409 ||
      (answer.json('code') === 'APPEND_CONDITION_FAILED' &&
        answer.json('violations.0.positions').length === 1),
  });
}

export function teardown({ run }) {
  const request = params('audit');
  request.headers.Accept = 'application/x-ndjson';
  const filter = JSON.stringify({ eventTypes: ['SEAT.TAKEN'], tags: { run } });
  const answer = http.post(`${URL}/v1/events/query`, filter, request);
  const seats = answer.status === 200 ? answer.body.trim().split('\n') : [];
  const taken = new Set(seats.map((line) => JSON.parse(line).tags.seat));
  check(answer, { 'no seat was taken twice': () => seats.length > 1 && taken.size === seats.length });
}
