/**
 * What all scripts share: where the service is, how hard to push, what an event looks like.
 *
 * Load is offered at a fixed rate and not "as fast as answers come": a service that stalls then shows it in the
 * latencies instead of being asked less (coordinated omission).
 */
export const URL = __ENV.STELE_URL || 'http://127.0.0.1:7373';
const DURATION = __ENV.DURATION || '10s';

/** `rate` iterations a second, over as many virtual users as that takes. */
export function arrivals(rate, overrides = {}) {
  return {
    executor: 'constant-arrival-rate',
    rate: Number(__ENV.RATE || rate),
    timeUnit: '1s',
    duration: DURATION,
    preAllocatedVUs: Number(__ENV.VUS || 50),
    maxVUs: Number(__ENV.VUS || 50) * 4,
    ...overrides,
  };
}

/** A number of virtual users that go on without a pause. */
export function users(count, overrides = {}) {
  return { executor: 'constant-vus', vus: Number(__ENV.VUS || count), duration: DURATION, ...overrides };
}

const key = __ENV.STELE_KEY ? { Authorization: `Bearer ${__ENV.STELE_KEY}` } : {};

/** Parameters of a request; `name` is what its latencies are grouped by. */
export function params(name, extra = {}) {
  return { ...extra, headers: { 'Content-Type': 'application/json', ...key }, tags: { name } };
}

export function pick(below) {
  return Math.floor(Math.random() * below);
}

/** An event of ordinary size: about 600 bytes, four tags. */
export function issueEvent(issue) {
  return {
    type: 'ISSUE.UPDATED.SUCCESS',
    timestamp: new Date().toISOString(),
    tags: { issueId: String(issue), userId: `u${pick(500)}`, platform: 'github', provider: 'anthropic' },
    metadata: { workflowVersion: '1.4.0', eventSource: 'system', correlationId: `c${issue}` },
    data: {
      title: `Issue ${issue}`,
      body: 'x'.repeat(300),
      labels: ['bug', 'help wanted'],
      weight: pick(100),
    },
  };
}
