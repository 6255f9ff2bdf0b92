import { check } from 'k6';
import http from 'k6/http';
import { arrivals, issueEvent, params, pick, URL } from './settings.js';

/** Pages by tag, by two tags, by type and by time, counts and aggregates, over what is there and 2,000 events more. */
const ISSUES = 200;

const QUERIES = {
  'by-tag': () => ['/v1/events/query', { issueIds: [`${pick(ISSUES)}`] }],
  'by-two-tags': () => ['/v1/events/query', { issueIds: [`${pick(ISSUES)}`], tags: { platform: 'github' } }],
  'latest-by-type': () => [
    '/v1/events/query',
    { eventTypes: ['ISSUE.*'], orderDirection: 'desc', limit: 50 },
  ],
  'by-correlation': () => ['/v1/events/query', { correlationIds: [`c${pick(ISSUES)}`] }],
  'by-item': () => [
    '/v1/events/query',
    { items: [{ types: ['ISSUE.UPDATED.SUCCESS'], tags: { issueId: `${pick(ISSUES)}` } }] },
  ],
  count: () => ['/v1/events/count', { issueIds: [`${pick(ISSUES)}`] }],
  aggregate: () => ['/v1/events/aggregate', { filter: { issueIds: [`${pick(ISSUES)}`] }, groupBy: ['type'] }],
};
const names = Object.keys(QUERIES);

export const options = {
  scenarios: { query: arrivals(200) },
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    dropped_iterations: ['rate<5'],
    ...Object.fromEntries(names.map((name) => [`http_req_duration{name:${name}}`, ['p(95)<100']])),
  },
};

export function setup() {
  for (let batch = 0; batch < 10; batch += 1) {
    const events = Array.from({ length: 200 }, (_, index) => issueEvent(index % ISSUES));
    const answer = http.post(`${URL}/v1/events/batch`, JSON.stringify({ events }), params('setup'));
    if (answer.status !== 201)
      throw new Error(`the events could not be stored: ${answer.status} ${answer.body}`);
  }
}

export default function () {
  const name = names[pick(names.length)];
  const [path, body] = QUERIES[name]();
  const answer = http.post(URL + path, JSON.stringify(body), params(name));
  const isFound = () => {
    if (answer.status !== 200) return false;
    if (name === 'count') return answer.json('count') >= 10;
    return answer.json(name === 'aggregate' ? 'groups' : 'events').length > 0;
  };
  check(answer, { 'finds what was stored': isFound });
}
