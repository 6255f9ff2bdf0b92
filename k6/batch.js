import { check } from 'k6';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import { arrivals, issueEvent, params, pick, URL } from './settings.js';

/** A hundred events a request, stored as one block or not at all. */
const EVENTS = Number(__ENV.EVENTS || 100);
const stored = new Counter('stele_events_stored');

export const options = {
  scenarios: { batch: arrivals(20) },
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    http_req_duration: ['p(95)<300', 'p(99)<600'],
    dropped_iterations: ['rate<1'],
    stele_events_stored: ['count>0'],
  },
};

export default function () {
  const issue = pick(10_000);
  const events = Array.from({ length: EVENTS }, () => issueEvent(issue));
  const answer = http.post(`${URL}/v1/events/batch`, JSON.stringify({ events }), params('batch'));
  const isBlock = () =>
    answer.status === 201 && answer.json('lastPosition') - answer.json('firstPosition') === EVENTS - 1;
  check(answer, { 'is one block': isBlock });
  if (answer.status === 201) stored.add(EVENTS);
}
