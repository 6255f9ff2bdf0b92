/** The events that the documents behind the shapes show, with placeholders replaced by values of their kind. */
import type { Json } from './shapes.ts';

let made = 0;
/** A UUID of version 4, another one each time. */
function uuid(): string {
  made += 1;
  return `7d444840-9dc0-41d1-b245-${made.toString(16).padStart(12, '0')}`;
}

const at = '2024-01-16T20:01:00Z';
const stream = (type: string, data: Json): Json => ({ event_id: uuid(), type, timestamp: at, data });

export const STREAM_EVENTS: readonly Json[] = [
  stream('repo.connected', {
    repository_id: uuid(),
    project_id: uuid(),
    full_name: 'org/repo-name',
    clone_url: 'https://github.com/org/repo.git',
    access_type: 'github_app',
  }),
  stream('repo.sync.started', { repository_id: uuid(), sync_type: 'full', trigger: 'webhook' }),
  stream('repo.sync.completed', {
    repository_id: uuid(),
    file_tree_hash: 'sha256-hash',
    files_processed: 1250,
    chunks_indexed: 342,
    detected_changes: ['package.json', 'src/api/routes/*.js'],
  }),
  stream('discovery.started', { repository_id: uuid(), discovery_type: 'incremental' }),
  stream('discovery.completed', {
    repository_id: uuid(),
    discovery_report_id: uuid(),
    detected_stack: { language: 'nodejs', framework: 'express', database: 'postgresql' },
    service_boundaries: ['api', 'auth', 'orders'],
    risk_score: 0.3,
  }),
  stream('feature.request.created', {
    feature_request_id: uuid(),
    project_id: uuid(),
    title: 'Add pagination to Orders list',
    description: 'User wants pagination for large order datasets',
    requester_id: uuid(),
  }),
  stream('planning.started', {
    feature_request_id: uuid(),
    execution_plan_id: uuid(),
    planner_agent_id: uuid(),
  }),
  stream('planning.completed', {
    execution_plan_id: uuid(),
    phases: [
      {
        phase_number: 1,
        name: 'API Contract Update',
        agent_type: 'backend',
        estimated_duration: '2h',
        risk_level: 'low',
      },
    ],
    blast_radius: {
      repositories_affected: ['api-service', 'frontend-app'],
      files_affected: 15,
      api_endpoints_changed: 3,
    },
  }),
  stream('agent.execution.started', {
    agent_execution_id: uuid(),
    agent_type: 'backend',
    phase_number: 1,
    execution_plan_id: uuid(),
    input_data: {
      files_to_modify: ['src/api/orders.js'],
      requirements: 'Add pagination with limit/offset',
    },
  }),
  stream('agent.execution.completed', {
    agent_execution_id: uuid(),
    output_data: {
      files_modified: ['src/api/orders.js'],
      tests_generated: ['tests/orders.test.js'],
      changes_summary: 'Added pagination middleware and updated routes',
    },
    token_usage: { prompt_tokens: 1250, completion_tokens: 890, total_tokens: 2140 },
  }),
  stream('agent.execution.failed', {
    agent_execution_id: uuid(),
    error_message: 'Failed to parse existing API contract',
    error_type: 'validation_error',
    retry_count: 2,
  }),
  stream('pr.created', {
    pull_request_id: uuid(),
    repository_id: uuid(),
    agent_execution_id: uuid(),
    title: 'feat: Add pagination to Orders API',
    branch_name: 'feature/orders-pagination',
    pr_number: 1234,
    url: 'https://github.com/org/repo/pull/1234',
  }),
  stream('pr.merged', { pull_request_id: uuid(), merged_by: uuid(), merge_commit_sha: 'abc123' }),
  {
    event_id: uuid(),
    type: 'pr.closed',
    timestamp: at,
    correlation_id: uuid(),
    causation_id: uuid(),
    source: 'pr-service',
    version: '1.0',
  },
];

export const WORKFLOW_EVENTS: readonly Json[] = [
  {
    eventId: 'evt_123abc',
    pattern: 'invoice.created',
    version: '1.0',
    source: { type: 'integration', id: 'xero_main' },
    timestamp: '2024-03-15T10:00:00Z',
    payload: { invoice_id: 'INV-001', amount: 1500.0, customer_id: 'CUST-123' },
    metadata: {
      correlationId: 'corr_xyz789',
      causationId: 'evt_abc456',
      context: { type: 'client', id: 'client_123' },
    },
  },
];

export const ACTOR_EVENTS: readonly Json[] = [
  {
    event_id: uuid(),
    timestamp: '2024-11-05T08:15:30.250Z',
    event_type: 'ISSUE.SELECTED.SUCCESS',
    actor_type: 'system',
    actor_id: 'loop-7',
    correlation_id: uuid(),
    causation_id: uuid(),
    schema_version: '1.0',
    payload: { issue: { number: 42, title: 'Orders list is slow' } },
    metadata: { tags: { issueId: '42', mode: 'dev' }, workflowVersion: '1.4.0', eventSource: 'system' },
  },
];
