/**
 * The events of the benchmark: those of an autonomous development platform, about 630 bytes of JSON with four
 * tags each, and as skewed as such a log is. A provider is on a fifth of the log, a user on a thousandth, an issue
 * on a few events. Everything is drawn from a seed, so that every run stores and asks the same.
 */
export interface BenchEvent {
  type: string;
  timestamp: string;
  tags: Record<string, string>;
  metadata: Record<string, string>;
  data: Record<string, unknown>;
}

export interface EventSource {
  next(): BenchEvent;
}

export const TYPES = [
  'ISSUE.ASSIGNED.SUCCESS',
  'ISSUE.UPDATED.SUCCESS',
  'ISSUE.COMMENT.ADDED',
  'ISSUE.LABELED.CHANGED',
  'CODE.GENERATED.SUCCESS',
  'CODE.GENERATED.FAILED',
  'CODE.REVIEW.REQUESTED',
  'CODE.MERGED.SUCCESS',
  'WORKFLOW.STARTED',
  'WORKFLOW.STEP_COMPLETED',
  'WORKFLOW.PAUSED',
  'WORKFLOW.COMPLETED',
  'GATE.BUILD.STARTED',
  'GATE.TEST.STARTED',
  'GATE.SECURITY.SCAN.STARTED',
  'PROVIDER.API.CALL',
  'PROVIDER.API.SUCCESS',
  'PROVIDER.API.FAILED',
  'PLATFORM.API.CALL',
  'PLATFORM.RATE_LIMITED',
] as const;
export const PROVIDERS = ['anthropic', 'openai', 'local'] as const;
export const PLATFORMS = ['github', 'gitlab'] as const;
const SOURCES = ['webhook', 'scheduler', 'console', 'import'] as const;
const TEXT =
  'The worker took the ticket, read the surrounding modules, proposed a change and asked for a second opinion ' +
  'before the gate. Nothing else was touched and the earlier review comments were answered one by one. ';

const START_MS = Date.UTC(2026, 7, 1);
/** Between two events: a million of them span about 92 days. */
const STEP_MS = 8_000;

/** @param seed equal seeds give equal events. */
export function eventSource(seed: number): EventSource {
  const random = randomNumbers(seed);
  /** Small numbers often, large ones seldom: rank r has a probability of about 1/r. */
  const skewed = (count: number) => Math.floor((count + 1) ** random()) - 1;
  let made = 0;
  return {
    next() {
      const timestamp = new Date(START_MS + made * STEP_MS + Math.floor(random() * STEP_MS)).toISOString();
      made += 1;
      const type = TYPES[skewed(TYPES.length)] ?? TYPES[0];
      const issue = Math.floor(random() * 200_000);
      const tags: Record<string, string> =
        random() < 0.7 ? { issueId: String(issue) } : { prId: String(issue) };
      tags['userId'] = `u-${skewed(2_000)}`;
      tags['repository'] = `acme/service-${skewed(60)}`;
      if (random() < 0.6) tags['provider'] = PROVIDERS[skewed(PROVIDERS.length)] ?? PROVIDERS[0];
      else tags['platform'] = PLATFORMS[skewed(PLATFORMS.length)] ?? PLATFORMS[0];
      const correlation = Math.floor(made / 8);
      const metadata: Record<string, string> = {
        workflowVersion: '1.4.0',
        eventSource: random() < 0.8 ? 'system' : 'plugin',
        correlationId: `wf-${seed}-${correlation}`,
      };
      if (random() < 0.5) metadata['causationId'] = `cmd-${seed}-${made - Math.floor(random() * 8)}`;
      if (random() < 0.25) metadata['actorId'] = `agent-${skewed(40)}`;
      if (random() < 0.125) metadata['source'] = SOURCES[skewed(SOURCES.length)] ?? SOURCES[0];
      const attempt = Math.floor(random() * 5);
      return {
        type,
        timestamp,
        tags,
        metadata,
        data: {
          title: `Retry the upload of part ${made % 1000} when the gateway answers 502`,
          branch: `feature/issue-${issue}`,
          durationMs: Math.floor(random() * 90_000),
          cost: { inputTokens: Math.floor(random() * 20_000), outputTokens: Math.floor(random() * 4_000) },
          labels: ['bug', 'priority/high', 'area/storage'].slice(0, 1 + Math.floor(random() * 3)),
          note: TEXT.slice(0, 80 + Math.floor(random() * 60)),
          attempt,
          final: attempt === 4,
        },
      };
    },
  };
}

/** Mulberry32: 32 bits of state are enough to tell events apart, and it needs no package. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
