import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { createClient } from '../src/client/index.ts';
import * as development from './generated/development.ts';

/**
 * An issue is assigned to an agent, which writes code that is merged: the events of one run of a workflow, made with the
 * functions that `stele types generate` writes. A member that is misspelt, missing or of another type does not compile.
 *
 *   stele types load catalogues/development
 *   npx tsx examples/issue-to-merge.ts --url http://127.0.0.1:7373 --issue 42
 *
 * Events of the workflow need no tag `workflowId`: the service takes it from their data. The rule `workflow-lifecycle`
 * refuses a second start of the same run, so that a run that was told twice is told once.
 */
export function issueToMerge(issueId: string, workflowId: string): readonly development.DevelopmentEvent[] {
  const metadata = { workflowVersion: '1.4.0', eventSource: 'system', correlationId: workflowId } as const;
  const tags = { issueId, mode: 'dev', provider: 'anthropic', platform: 'github' } as const;
  const commitSha = 'd7f2e2305f202e798beb519d54075d3f6f2475ba';
  const pullRequest = { ...tags, prId: `${issueId}-1` };
  return [
    development.issueAssigned({ tags, metadata, data: { assignee: 'agent-7', labels: ['bug'] } }),
    development.workflowStarted({
      tags,
      metadata,
      data: { workflowId, workflow: 'issue-to-pull-request', trigger: 'issue' },
    }),
    development.codeGenerated({
      tags,
      metadata: { ...metadata, actorType: 'agent', actorId: 'agent-7' },
      data: { files: ['src/api/orders.js'], linesAdded: 48, linesRemoved: 3, commitSha },
    }),
    development.workflowStepCompleted({
      tags,
      metadata,
      data: { workflowId, step: 'generate', outcome: 'succeeded' },
    }),
    development.codeReviewRequested({
      tags: pullRequest,
      metadata,
      data: { reviewers: ['grace'], commitSha },
    }),
    development.codeMerged({
      tags: pullRequest,
      metadata,
      data: { commitSha, targetBranch: 'main', method: 'squash', mergedBy: 'grace' },
    }),
    development.workflowCompleted({ tags, metadata, data: { workflowId, outcome: 'succeeded' } }),
  ];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: { url: { type: 'string' }, key: { type: 'string' }, issue: { type: 'string', default: '42' } },
  });
  const client = createClient({ url: values.url ?? 'http://127.0.0.1:7373', key: values.key });
  const events = issueToMerge(values.issue, `run-of-${values.issue}`);
  const { firstPosition, lastPosition } = await client.append(events);
  console.error(`positions ${firstPosition} to ${lastPosition}`);
  for await (const event of client.read({ issueIds: [values.issue] })) {
    const isMerge = development.isOf(development.CODE_MERGED_SUCCESS, event);
    console.error(`${event.position} ${event.type}${isMerge ? ` as ${event.data.commitSha}` : ''}`);
  }
}
