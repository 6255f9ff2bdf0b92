import { check } from 'k6';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import { params, pick, run, URL, users } from './settings.js';

/**
 * Many users take seats, each seat once: a condition without `after`. Afterwards the log is counted: whatever the
 * latencies, a seat that was taken twice fails the run.
 */
const SEATS = Number(__ENV.SEATS || 2000);
const won = new Counter('stele_conditions_held');
const lost = new Counter('stele_conditions_failed');

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

/** A condition that fails is an answer, not a failure. */
const answers = http.expectedStatuses(200, 201, 409);

export default function () {
  const tags = { run, seat: `${run}-${pick(SEATS)}` };
  const body = {
    events: [{ type: 'SEAT.TAKEN', tags, data: { by: `user-${__VU}` } }],
    conditions: [{ failIfEventsMatch: { items: [{ types: ['SEAT.TAKEN'], tags: { seat: tags.seat } }] } }],
  };
  const request = params('take', { responseCallback: answers });
  const answer = http.post(`${URL}/v1/events/batch`, JSON.stringify(body), request);
  if (answer.status === 201) won.add(1);
  else if (answer.status === 409) lost.add(1);
  check(answer, {
    'is taken, or was taken by another': ({ status }) => status === 201 || status === 409,
    'says which event was in the way': ({ status }) =>
      status !== 409 ||
      (answer.json('code') === 'APPEND_CONDITION_FAILED' &&
        answer.json('violations.0.positions').length === 1),
  });
}

export function teardown() {
  const filter = { eventTypes: ['SEAT.TAKEN'], tags: { run } };
  const body = JSON.stringify({ filter, groupBy: ['tag:seat'], limit: 1000 });
  const answer = http.post(`${URL}/v1/events/aggregate`, body, params('audit'));
  check(answer, {
    'no seat was taken twice': ({ status }) =>
      status === 200 && answer.json('groups').every(({ count }) => count === 1),
  });
}
