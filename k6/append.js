import { check } from 'k6';
import http from 'k6/http';
import { arrivals, issueEvent, params, pick, URL } from './settings.js';

/** One event a request. */
export const options = {
  scenarios: { append: arrivals(500) },
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    http_req_duration: ['p(95)<100', 'p(99)<400'],
    // A service that cannot keep up shows it here: the rate was not reached.
    dropped_iterations: ['rate<5'],
  },
};

export default function () {
  const event = JSON.stringify(issueEvent(pick(10_000)));
  const answer = http.post(`${URL}/v1/events`, event, params('append'));
  check(answer, {
    'is stored': ({ status }) => status === 201,
    'has a position': () => answer.status === 201 && answer.json('position') > 0,
  });
}
