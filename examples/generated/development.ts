/**
 * Event types of the catalogue development.
 *
 * What happens on a platform that develops software by itself: issues, the code written for them, the
 * workflows and quality gates that it goes through, and the plugins, AI providers and platforms that
 * are used on the way.
 *
 * Made by `stele types generate`. Do not change it by hand: change the catalogue, and make it again.
 */

interface Stamp {
  /** UUID of version 7; the client makes one where it is missing. */
  readonly id?: string;
  /** When it happened, RFC 3339; where it is missing: when it is stored. */
  readonly timestamp?: string;
}

/** Tags of most types. */
export type CommonTags = {
  /** The issue that all of this is done for. */
  readonly issueId?: string;
  /** The pull request that carries the code. */
  readonly prId?: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider?: string;
  /** Where the repository lives, such as github. */
  readonly platform?: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

/** Metadata of most types. */
export type CommonMetadata = {
  /** Version of the workflow definition that was in force. */
  readonly workflowVersion: string;
  /** Whether the platform itself or one of its plugins says so. */
  readonly eventSource: 'system' | 'plugin';
  /** The same for everything that one request set off. */
  readonly correlationId?: string;
  /** Id of the event that this one follows from. */
  readonly causationId?: string;
  /** What did it, such as user, agent or ci-runner. */
  readonly actorType?: string;
  readonly actorId?: string;
  readonly source?: string;
  readonly sourceType?: string;
  readonly traceparent?: string;
  readonly [name: string]: unknown;
};

export const CODE_GENERATED_FAILED = 'CODE.GENERATED.FAILED';

export type CodeGeneratedFailedData = {
  readonly failure: {
    /** A word to switch on. */
    readonly code: string;
    readonly message: string;
    /** Whether the same again may succeed. */
    readonly retryable: boolean;
  };
  /** Model of the provider that wrote it. */
  readonly model?: string;
  readonly durationMs?: number;
  readonly attempt?: number;
};

export type CodeGeneratedFailedTags = {
  /** The issue that all of this is done for. */
  readonly issueId: string;
  /** The pull request that carries the code. */
  readonly prId?: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider?: string;
  /** Where the repository lives, such as github. */
  readonly platform?: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type CodeGeneratedFailedMetadata = CommonMetadata;

/** The attempt to write code for an issue ended without code that could be used. */
export interface CodeGeneratedFailed extends Stamp {
  readonly type: typeof CODE_GENERATED_FAILED;
  readonly version: 1;
  readonly tags: CodeGeneratedFailedTags;
  readonly metadata: CodeGeneratedFailedMetadata;
  readonly data: CodeGeneratedFailedData;
}

/** The attempt to write code for an issue ended without code that could be used. */
export function codeGeneratedFailed(event: Omit<CodeGeneratedFailed, 'type' | 'version'>): CodeGeneratedFailed {
  return { ...event, type: CODE_GENERATED_FAILED, version: 1 };
}

export const CODE_GENERATED_SUCCESS = 'CODE.GENERATED.SUCCESS';

export type CodeGeneratedSuccessData = {
  /** Files that were written or changed. */
  readonly files: readonly string[];
  readonly linesAdded: number;
  readonly linesRemoved: number;
  readonly branch?: string;
  readonly commitSha?: string;
  /** Model of the provider that wrote it. */
  readonly model?: string;
  readonly durationMs?: number;
  readonly attempt?: number;
};

export type CodeGeneratedSuccessTags = {
  /** The issue that all of this is done for. */
  readonly issueId: string;
  /** The pull request that carries the code. */
  readonly prId?: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider?: string;
  /** Where the repository lives, such as github. */
  readonly platform?: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type CodeGeneratedSuccessMetadata = CommonMetadata;

/** Code was written for an issue. It is not reviewed or merged yet. */
export interface CodeGeneratedSuccess extends Stamp {
  readonly type: typeof CODE_GENERATED_SUCCESS;
  readonly version: 1;
  readonly tags: CodeGeneratedSuccessTags;
  readonly metadata: CodeGeneratedSuccessMetadata;
  readonly data: CodeGeneratedSuccessData;
}

/** Code was written for an issue. It is not reviewed or merged yet. */
export function codeGeneratedSuccess(event: Omit<CodeGeneratedSuccess, 'type' | 'version'>): CodeGeneratedSuccess {
  return { ...event, type: CODE_GENERATED_SUCCESS, version: 1 };
}

/** Short for codeGeneratedSuccess. */
export const codeGenerated = codeGeneratedSuccess;

export const CODE_MERGED_SUCCESS = 'CODE.MERGED.SUCCESS';

export type CodeMergedSuccessData = {
  /** The commit on the target branch. */
  readonly commitSha: string;
  readonly targetBranch: string;
  readonly method: 'merge' | 'squash' | 'rebase';
  readonly sourceBranch?: string;
  readonly mergedBy?: string;
};

export type CodeMergedSuccessTags = {
  /** The issue that all of this is done for. */
  readonly issueId?: string;
  /** The pull request that carries the code. */
  readonly prId: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider?: string;
  /** Where the repository lives, such as github. */
  readonly platform?: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type CodeMergedSuccessMetadata = CommonMetadata;

/** The code of a pull request became part of its target branch. */
export interface CodeMergedSuccess extends Stamp {
  readonly type: typeof CODE_MERGED_SUCCESS;
  readonly version: 1;
  readonly tags: CodeMergedSuccessTags;
  readonly metadata: CodeMergedSuccessMetadata;
  readonly data: CodeMergedSuccessData;
}

/** The code of a pull request became part of its target branch. */
export function codeMergedSuccess(event: Omit<CodeMergedSuccess, 'type' | 'version'>): CodeMergedSuccess {
  return { ...event, type: CODE_MERGED_SUCCESS, version: 1 };
}

/** Short for codeMergedSuccess. */
export const codeMerged = codeMergedSuccess;

export const CODE_REVIEW_REQUESTED = 'CODE.REVIEW.REQUESTED';

export type CodeReviewRequestedData = {
  readonly reviewers: readonly string[];
  readonly requestedBy?: string;
  /** The commit that is to be looked at. */
  readonly commitSha?: string;
  readonly url?: string;
};

export type CodeReviewRequestedTags = {
  /** The issue that all of this is done for. */
  readonly issueId?: string;
  /** The pull request that carries the code. */
  readonly prId: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider?: string;
  /** Where the repository lives, such as github. */
  readonly platform?: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type CodeReviewRequestedMetadata = CommonMetadata;

/** Somebody was asked to review the code of a pull request. */
export interface CodeReviewRequested extends Stamp {
  readonly type: typeof CODE_REVIEW_REQUESTED;
  readonly version: 1;
  readonly tags: CodeReviewRequestedTags;
  readonly metadata: CodeReviewRequestedMetadata;
  readonly data: CodeReviewRequestedData;
}

/** Somebody was asked to review the code of a pull request. */
export function codeReviewRequested(event: Omit<CodeReviewRequested, 'type' | 'version'>): CodeReviewRequested {
  return { ...event, type: CODE_REVIEW_REQUESTED, version: 1 };
}

export const GATE_BUILD_STARTED = 'GATE.BUILD.STARTED';

export type GateBuildStartedData = {
  /** Of this run of the gate; a repetition is another run. */
  readonly runId: string;
  /** What is examined. */
  readonly commitSha: string;
  readonly command?: string;
  readonly runner?: string;
  readonly branch?: string;
  readonly attempt?: number;
  /** Where it can be watched. */
  readonly url?: string;
};

export type GateBuildStartedTags = CommonTags;

export type GateBuildStartedMetadata = CommonMetadata;

/** The gate began to build a commit. */
export interface GateBuildStarted extends Stamp {
  readonly type: typeof GATE_BUILD_STARTED;
  readonly version: 1;
  readonly tags?: GateBuildStartedTags;
  readonly metadata: GateBuildStartedMetadata;
  readonly data: GateBuildStartedData;
}

/** The gate began to build a commit. */
export function gateBuildStarted(event: Omit<GateBuildStarted, 'type' | 'version'>): GateBuildStarted {
  return { ...event, type: GATE_BUILD_STARTED, version: 1 };
}

export const GATE_REVIEW_REQUESTED = 'GATE.REVIEW.REQUESTED';

export type GateReviewRequestedData = {
  /** Of this run of the gate; a repetition is another run. */
  readonly runId: string;
  /** What is examined. */
  readonly commitSha: string;
  readonly reviewers: readonly string[];
  readonly approvalsRequired: number;
  readonly dueAt?: string;
  readonly branch?: string;
  readonly attempt?: number;
  /** Where it can be watched. */
  readonly url?: string;
};

export type GateReviewRequestedTags = CommonTags;

export type GateReviewRequestedMetadata = CommonMetadata;

/** The gate waits for people who approve a commit. */
export interface GateReviewRequested extends Stamp {
  readonly type: typeof GATE_REVIEW_REQUESTED;
  readonly version: 1;
  readonly tags?: GateReviewRequestedTags;
  readonly metadata: GateReviewRequestedMetadata;
  readonly data: GateReviewRequestedData;
}

/** The gate waits for people who approve a commit. */
export function gateReviewRequested(event: Omit<GateReviewRequested, 'type' | 'version'>): GateReviewRequested {
  return { ...event, type: GATE_REVIEW_REQUESTED, version: 1 };
}

export const GATE_SECURITY_SCAN_STARTED = 'GATE.SECURITY.SCAN.STARTED';

export type GateSecurityScanStartedData = {
  /** Of this run of the gate; a repetition is another run. */
  readonly runId: string;
  /** What is examined. */
  readonly commitSha: string;
  readonly scanner: string;
  readonly scans: readonly ('code' | 'dependencies' | 'secrets' | 'licences' | 'container')[];
  readonly branch?: string;
  readonly attempt?: number;
  /** Where it can be watched. */
  readonly url?: string;
};

export type GateSecurityScanStartedTags = CommonTags;

export type GateSecurityScanStartedMetadata = CommonMetadata;

/** The gate began to look for weaknesses in a commit. */
export interface GateSecurityScanStarted extends Stamp {
  readonly type: typeof GATE_SECURITY_SCAN_STARTED;
  readonly version: 1;
  readonly tags?: GateSecurityScanStartedTags;
  readonly metadata: GateSecurityScanStartedMetadata;
  readonly data: GateSecurityScanStartedData;
}

/** The gate began to look for weaknesses in a commit. */
export function gateSecurityScanStarted(event: Omit<GateSecurityScanStarted, 'type' | 'version'>): GateSecurityScanStarted {
  return { ...event, type: GATE_SECURITY_SCAN_STARTED, version: 1 };
}

export const GATE_TEST_STARTED = 'GATE.TEST.STARTED';

export type GateTestStartedData = {
  /** Of this run of the gate; a repetition is another run. */
  readonly runId: string;
  /** What is examined. */
  readonly commitSha: string;
  readonly level: 'unit' | 'integration' | 'end-to-end' | 'performance';
  readonly suites?: readonly string[];
  readonly branch?: string;
  readonly attempt?: number;
  /** Where it can be watched. */
  readonly url?: string;
};

export type GateTestStartedTags = CommonTags;

export type GateTestStartedMetadata = CommonMetadata;

/** The gate began to test a commit. */
export interface GateTestStarted extends Stamp {
  readonly type: typeof GATE_TEST_STARTED;
  readonly version: 1;
  readonly tags?: GateTestStartedTags;
  readonly metadata: GateTestStartedMetadata;
  readonly data: GateTestStartedData;
}

/** The gate began to test a commit. */
export function gateTestStarted(event: Omit<GateTestStarted, 'type' | 'version'>): GateTestStarted {
  return { ...event, type: GATE_TEST_STARTED, version: 1 };
}

export const ISSUE_ASSIGNED_SUCCESS = 'ISSUE.ASSIGNED.SUCCESS';

export type IssueAssignedSuccessData = {
  /** Login of the person, or id of the agent. */
  readonly assignee: string;
  readonly previousAssignee?: string;
  readonly assignedBy?: string;
  readonly title?: string;
  /** Of the issue, at that moment. */
  readonly labels?: readonly string[];
};

export type IssueAssignedSuccessTags = {
  /** The issue that all of this is done for. */
  readonly issueId: string;
  /** The pull request that carries the code. */
  readonly prId?: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider?: string;
  /** Where the repository lives, such as github. */
  readonly platform?: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type IssueAssignedSuccessMetadata = CommonMetadata;

/** An issue was given to somebody who now works on it, a person or an agent. */
export interface IssueAssignedSuccess extends Stamp {
  readonly type: typeof ISSUE_ASSIGNED_SUCCESS;
  readonly version: 1;
  readonly tags: IssueAssignedSuccessTags;
  readonly metadata: IssueAssignedSuccessMetadata;
  readonly data: IssueAssignedSuccessData;
}

/** An issue was given to somebody who now works on it, a person or an agent. */
export function issueAssignedSuccess(event: Omit<IssueAssignedSuccess, 'type' | 'version'>): IssueAssignedSuccess {
  return { ...event, type: ISSUE_ASSIGNED_SUCCESS, version: 1 };
}

/** Short for issueAssignedSuccess. */
export const issueAssigned = issueAssignedSuccess;

export const ISSUE_COMMENT_ADDED = 'ISSUE.COMMENT.ADDED';

export type IssueCommentAddedData = {
  readonly commentId: string;
  readonly author: string;
  readonly authorType: 'user' | 'agent' | 'bot';
  readonly body: string;
  /** The comment that this one answers. */
  readonly inReplyTo?: string;
  readonly url?: string;
};

export type IssueCommentAddedTags = {
  /** The issue that all of this is done for. */
  readonly issueId: string;
  /** The pull request that carries the code. */
  readonly prId?: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider?: string;
  /** Where the repository lives, such as github. */
  readonly platform?: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type IssueCommentAddedMetadata = CommonMetadata;

/** Somebody, or the platform itself, commented on an issue. */
export interface IssueCommentAdded extends Stamp {
  readonly type: typeof ISSUE_COMMENT_ADDED;
  readonly version: 1;
  readonly tags: IssueCommentAddedTags;
  readonly metadata: IssueCommentAddedMetadata;
  readonly data: IssueCommentAddedData;
}

/** Somebody, or the platform itself, commented on an issue. */
export function issueCommentAdded(event: Omit<IssueCommentAdded, 'type' | 'version'>): IssueCommentAdded {
  return { ...event, type: ISSUE_COMMENT_ADDED, version: 1 };
}

export const ISSUE_LABELED_CHANGED = 'ISSUE.LABELED.CHANGED';

export type IssueLabeledChangedData = {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** All that the issue has now. */
  readonly labels?: readonly string[];
  readonly changedBy?: string;
};

export type IssueLabeledChangedTags = {
  /** The issue that all of this is done for. */
  readonly issueId: string;
  /** The pull request that carries the code. */
  readonly prId?: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider?: string;
  /** Where the repository lives, such as github. */
  readonly platform?: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type IssueLabeledChangedMetadata = CommonMetadata;

/** Labels were added to an issue or taken away from it. */
export interface IssueLabeledChanged extends Stamp {
  readonly type: typeof ISSUE_LABELED_CHANGED;
  readonly version: 1;
  readonly tags: IssueLabeledChangedTags;
  readonly metadata: IssueLabeledChangedMetadata;
  readonly data: IssueLabeledChangedData;
}

/** Labels were added to an issue or taken away from it. */
export function issueLabeledChanged(event: Omit<IssueLabeledChanged, 'type' | 'version'>): IssueLabeledChanged {
  return { ...event, type: ISSUE_LABELED_CHANGED, version: 1 };
}

export const ISSUE_UPDATED_SUCCESS = 'ISSUE.UPDATED.SUCCESS';

export type IssueUpdatedSuccessData = {
  /** By the name of the field, such as title, body, state or milestone. */
  readonly changes: { readonly [name: string]: {
      readonly from?: string | number | boolean | null;
      readonly to: string | number | boolean | null;
    }; };
  readonly updatedBy?: string;
};

export type IssueUpdatedSuccessTags = {
  /** The issue that all of this is done for. */
  readonly issueId: string;
  /** The pull request that carries the code. */
  readonly prId?: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider?: string;
  /** Where the repository lives, such as github. */
  readonly platform?: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type IssueUpdatedSuccessMetadata = CommonMetadata;

/** Fields of an issue were changed. Labels and comments have types of their own. */
export interface IssueUpdatedSuccess extends Stamp {
  readonly type: typeof ISSUE_UPDATED_SUCCESS;
  readonly version: 1;
  readonly tags: IssueUpdatedSuccessTags;
  readonly metadata: IssueUpdatedSuccessMetadata;
  readonly data: IssueUpdatedSuccessData;
}

/** Fields of an issue were changed. Labels and comments have types of their own. */
export function issueUpdatedSuccess(event: Omit<IssueUpdatedSuccess, 'type' | 'version'>): IssueUpdatedSuccess {
  return { ...event, type: ISSUE_UPDATED_SUCCESS, version: 1 };
}

/** Short for issueUpdatedSuccess. */
export const issueUpdated = issueUpdatedSuccess;

export const PLATFORM_API_CALL = 'PLATFORM.API.CALL';

export type PlatformApiCallData = {
  /** The same in the call and in what came of it. */
  readonly callId: string;
  /** What was asked for, such as pulls.create. */
  readonly operation: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Of the request, without its query. */
  readonly path?: string;
  readonly attempt?: number;
};

export type PlatformApiCallTags = {
  /** The issue that all of this is done for. */
  readonly issueId?: string;
  /** The pull request that carries the code. */
  readonly prId?: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider?: string;
  /** Where the repository lives, such as github. */
  readonly platform: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type PlatformApiCallMetadata = CommonMetadata;

/** A request was sent to the platform where the repository lives. */
export interface PlatformApiCall extends Stamp {
  readonly type: typeof PLATFORM_API_CALL;
  readonly version: 1;
  readonly tags: PlatformApiCallTags;
  readonly metadata: PlatformApiCallMetadata;
  readonly data: PlatformApiCallData;
}

/** A request was sent to the platform where the repository lives. */
export function platformApiCall(event: Omit<PlatformApiCall, 'type' | 'version'>): PlatformApiCall {
  return { ...event, type: PLATFORM_API_CALL, version: 1 };
}

export const PLATFORM_FAILED = 'PLATFORM.FAILED';

export type PlatformFailedData = {
  /** The same in the call and in what came of it. */
  readonly callId: string;
  readonly operation: string;
  readonly failure: {
    /** A word to switch on. */
    readonly code: string;
    readonly message: string;
    /** Whether the same again may succeed. */
    readonly retryable: boolean;
  };
  /** HTTP status; absent where no answer came. */
  readonly httpStatus?: number;
  readonly attempt?: number;
  readonly durationMs?: number;
};

export type PlatformFailedTags = {
  /** The issue that all of this is done for. */
  readonly issueId?: string;
  /** The pull request that carries the code. */
  readonly prId?: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider?: string;
  /** Where the repository lives, such as github. */
  readonly platform: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type PlatformFailedMetadata = CommonMetadata;

/** The platform did not do what it was asked for, or did not answer. */
export interface PlatformFailed extends Stamp {
  readonly type: typeof PLATFORM_FAILED;
  readonly version: 1;
  readonly tags: PlatformFailedTags;
  readonly metadata: PlatformFailedMetadata;
  readonly data: PlatformFailedData;
}

/** The platform did not do what it was asked for, or did not answer. */
export function platformFailed(event: Omit<PlatformFailed, 'type' | 'version'>): PlatformFailed {
  return { ...event, type: PLATFORM_FAILED, version: 1 };
}

export const PLATFORM_RATE_LIMITED = 'PLATFORM.RATE_LIMITED';

export type PlatformRateLimitedData = {
  /** The same in the call and in what came of it. */
  readonly callId: string;
  readonly operation: string;
  readonly resetsAt: string;
  readonly limit?: number;
  readonly remaining?: number;
  readonly retryAfterSeconds?: number;
};

export type PlatformRateLimitedTags = {
  /** The issue that all of this is done for. */
  readonly issueId?: string;
  /** The pull request that carries the code. */
  readonly prId?: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider?: string;
  /** Where the repository lives, such as github. */
  readonly platform: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type PlatformRateLimitedMetadata = CommonMetadata;

/** The platform refuses requests until some time has passed. */
export interface PlatformRateLimited extends Stamp {
  readonly type: typeof PLATFORM_RATE_LIMITED;
  readonly version: 1;
  readonly tags: PlatformRateLimitedTags;
  readonly metadata: PlatformRateLimitedMetadata;
  readonly data: PlatformRateLimitedData;
}

/** The platform refuses requests until some time has passed. */
export function platformRateLimited(event: Omit<PlatformRateLimited, 'type' | 'version'>): PlatformRateLimited {
  return { ...event, type: PLATFORM_RATE_LIMITED, version: 1 };
}

export const PLATFORM_SUCCESS = 'PLATFORM.SUCCESS';

export type PlatformSuccessData = {
  /** The same in the call and in what came of it. */
  readonly callId: string;
  readonly operation: string;
  readonly durationMs: number;
  /** HTTP status; absent where no answer came. */
  readonly httpStatus?: number;
  /** What was made or changed. */
  readonly resource?: string;
};

export type PlatformSuccessTags = {
  /** The issue that all of this is done for. */
  readonly issueId?: string;
  /** The pull request that carries the code. */
  readonly prId?: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider?: string;
  /** Where the repository lives, such as github. */
  readonly platform: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type PlatformSuccessMetadata = CommonMetadata;

/** The platform did what it was asked for. */
export interface PlatformSuccess extends Stamp {
  readonly type: typeof PLATFORM_SUCCESS;
  readonly version: 1;
  readonly tags: PlatformSuccessTags;
  readonly metadata: PlatformSuccessMetadata;
  readonly data: PlatformSuccessData;
}

/** The platform did what it was asked for. */
export function platformSuccess(event: Omit<PlatformSuccess, 'type' | 'version'>): PlatformSuccess {
  return { ...event, type: PLATFORM_SUCCESS, version: 1 };
}

export const PLUGIN_DEBUG_SNAPSHOT_SUCCESS = 'PLUGIN.DEBUG_SNAPSHOT.SUCCESS';

export type PluginDebugSnapshotSuccessData = {
  /** Name of the plugin. */
  readonly plugin: string;
  readonly pluginVersion: string;
  readonly snapshotId: string;
  readonly trigger: 'manual' | 'failure' | 'schedule';
  readonly sizeBytes: number;
  readonly location?: string;
  /** Of the last event that the plugin had seen. */
  readonly position?: number;
};

export type PluginDebugSnapshotSuccessTags = CommonTags;

export type PluginDebugSnapshotSuccessMetadata = CommonMetadata;

/** The state of a plugin was kept so that somebody can look into it later. */
export interface PluginDebugSnapshotSuccess extends Stamp {
  readonly type: typeof PLUGIN_DEBUG_SNAPSHOT_SUCCESS;
  readonly version: 1;
  readonly tags?: PluginDebugSnapshotSuccessTags;
  readonly metadata: PluginDebugSnapshotSuccessMetadata;
  readonly data: PluginDebugSnapshotSuccessData;
}

/** The state of a plugin was kept so that somebody can look into it later. */
export function pluginDebugSnapshotSuccess(event: Omit<PluginDebugSnapshotSuccess, 'type' | 'version'>): PluginDebugSnapshotSuccess {
  return { ...event, type: PLUGIN_DEBUG_SNAPSHOT_SUCCESS, version: 1 };
}

/** Short for pluginDebugSnapshotSuccess. */
export const pluginDebugSnapshot = pluginDebugSnapshotSuccess;

export const PLUGIN_INSTALLED_SUCCESS = 'PLUGIN.INSTALLED.SUCCESS';

export type PluginInstalledSuccessData = {
  /** Name of the plugin. */
  readonly plugin: string;
  readonly pluginVersion: string;
  readonly previousVersion?: string;
  readonly source?: string;
  /** Of the package. */
  readonly sha256?: string;
  /** That it was granted. */
  readonly permissions?: readonly string[];
  readonly installedBy?: string;
};

export type PluginInstalledSuccessTags = CommonTags;

export type PluginInstalledSuccessMetadata = CommonMetadata;

/** A plugin was installed, or upgraded where it names the version before. */
export interface PluginInstalledSuccess extends Stamp {
  readonly type: typeof PLUGIN_INSTALLED_SUCCESS;
  readonly version: 1;
  readonly tags?: PluginInstalledSuccessTags;
  readonly metadata: PluginInstalledSuccessMetadata;
  readonly data: PluginInstalledSuccessData;
}

/** A plugin was installed, or upgraded where it names the version before. */
export function pluginInstalledSuccess(event: Omit<PluginInstalledSuccess, 'type' | 'version'>): PluginInstalledSuccess {
  return { ...event, type: PLUGIN_INSTALLED_SUCCESS, version: 1 };
}

/** Short for pluginInstalledSuccess. */
export const pluginInstalled = pluginInstalledSuccess;

export const PLUGIN_UNINSTALLED_SUCCESS = 'PLUGIN.UNINSTALLED.SUCCESS';

export type PluginUninstalledSuccessData = {
  /** Name of the plugin. */
  readonly plugin: string;
  readonly pluginVersion: string;
  readonly reason: 'manual' | 'incompatible' | 'security';
  /** Whether what it had stored is gone too. */
  readonly dataRemoved?: boolean;
  readonly uninstalledBy?: string;
};

export type PluginUninstalledSuccessTags = CommonTags;

export type PluginUninstalledSuccessMetadata = CommonMetadata;

/** A plugin was removed. */
export interface PluginUninstalledSuccess extends Stamp {
  readonly type: typeof PLUGIN_UNINSTALLED_SUCCESS;
  readonly version: 1;
  readonly tags?: PluginUninstalledSuccessTags;
  readonly metadata: PluginUninstalledSuccessMetadata;
  readonly data: PluginUninstalledSuccessData;
}

/** A plugin was removed. */
export function pluginUninstalledSuccess(event: Omit<PluginUninstalledSuccess, 'type' | 'version'>): PluginUninstalledSuccess {
  return { ...event, type: PLUGIN_UNINSTALLED_SUCCESS, version: 1 };
}

/** Short for pluginUninstalledSuccess. */
export const pluginUninstalled = pluginUninstalledSuccess;

export const PROVIDER_API_CALL = 'PROVIDER.API.CALL';

export type ProviderApiCallData = {
  /** The same in the call and in what came of it. */
  readonly callId: string;
  /** What was asked for, such as messages.create. */
  readonly operation: string;
  readonly model?: string;
  readonly attempt?: number;
  /** As estimated before the call. */
  readonly inputTokens?: number;
  readonly timeoutMs?: number;
};

export type ProviderApiCallTags = {
  /** The issue that all of this is done for. */
  readonly issueId?: string;
  /** The pull request that carries the code. */
  readonly prId?: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider: string;
  /** Where the repository lives, such as github. */
  readonly platform?: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type ProviderApiCallMetadata = CommonMetadata;

/** A request was sent to an AI provider. */
export interface ProviderApiCall extends Stamp {
  readonly type: typeof PROVIDER_API_CALL;
  readonly version: 1;
  readonly tags: ProviderApiCallTags;
  readonly metadata: ProviderApiCallMetadata;
  readonly data: ProviderApiCallData;
}

/** A request was sent to an AI provider. */
export function providerApiCall(event: Omit<ProviderApiCall, 'type' | 'version'>): ProviderApiCall {
  return { ...event, type: PROVIDER_API_CALL, version: 1 };
}

export const PROVIDER_API_FAILED = 'PROVIDER.API.FAILED';

export type ProviderApiFailedData = {
  /** The same in the call and in what came of it. */
  readonly callId: string;
  /** What was asked for, such as messages.create. */
  readonly operation: string;
  readonly failure: {
    /** A word to switch on. */
    readonly code: string;
    readonly message: string;
    /** Whether the same again may succeed. */
    readonly retryable: boolean;
  };
  /** HTTP status; absent where no answer came. */
  readonly httpStatus?: number;
  readonly model?: string;
  readonly attempt?: number;
  readonly durationMs?: number;
};

export type ProviderApiFailedTags = {
  /** The issue that all of this is done for. */
  readonly issueId?: string;
  /** The pull request that carries the code. */
  readonly prId?: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider: string;
  /** Where the repository lives, such as github. */
  readonly platform?: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type ProviderApiFailedMetadata = CommonMetadata;

/** A request to an AI provider got no answer, or one that is an error. */
export interface ProviderApiFailed extends Stamp {
  readonly type: typeof PROVIDER_API_FAILED;
  readonly version: 1;
  readonly tags: ProviderApiFailedTags;
  readonly metadata: ProviderApiFailedMetadata;
  readonly data: ProviderApiFailedData;
}

/** A request to an AI provider got no answer, or one that is an error. */
export function providerApiFailed(event: Omit<ProviderApiFailed, 'type' | 'version'>): ProviderApiFailed {
  return { ...event, type: PROVIDER_API_FAILED, version: 1 };
}

export const PROVIDER_API_SUCCESS = 'PROVIDER.API.SUCCESS';

export type ProviderApiSuccessData = {
  /** The same in the call and in what came of it. */
  readonly callId: string;
  /** What was asked for, such as messages.create. */
  readonly operation: string;
  readonly durationMs: number;
  readonly model?: string;
  readonly usage?: {
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly cachedTokens?: number;
  };
  readonly cost?: {
    readonly amount: number;
    /** ISO 4217. */
    readonly currency: string;
  };
  readonly finishReason?: 'stop' | 'length' | 'tool' | 'refusal';
};

export type ProviderApiSuccessTags = {
  /** The issue that all of this is done for. */
  readonly issueId?: string;
  /** The pull request that carries the code. */
  readonly prId?: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider: string;
  /** Where the repository lives, such as github. */
  readonly platform?: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type ProviderApiSuccessMetadata = CommonMetadata;

/** An AI provider answered a request. */
export interface ProviderApiSuccess extends Stamp {
  readonly type: typeof PROVIDER_API_SUCCESS;
  readonly version: 1;
  readonly tags: ProviderApiSuccessTags;
  readonly metadata: ProviderApiSuccessMetadata;
  readonly data: ProviderApiSuccessData;
}

/** An AI provider answered a request. */
export function providerApiSuccess(event: Omit<ProviderApiSuccess, 'type' | 'version'>): ProviderApiSuccess {
  return { ...event, type: PROVIDER_API_SUCCESS, version: 1 };
}

/** Short for providerApiSuccess. */
export const providerApi = providerApiSuccess;

export const PROVIDER_QUOTA_EXCEEDED = 'PROVIDER.QUOTA.EXCEEDED';

export type ProviderQuotaExceededData = {
  readonly quota: 'requests' | 'tokens' | 'cost';
  readonly window: 'minute' | 'hour' | 'day' | 'month';
  readonly limit: number;
  readonly used: number;
  readonly resetsAt?: string;
  readonly model?: string;
};

export type ProviderQuotaExceededTags = {
  /** The issue that all of this is done for. */
  readonly issueId?: string;
  /** The pull request that carries the code. */
  readonly prId?: string;
  /** The person who did it, or on whose behalf it was done. */
  readonly userId?: string;
  /** Who the platform works for: developers, or people who describe what they need. */
  readonly mode?: 'dev' | 'business';
  /** The AI provider, such as anthropic. */
  readonly provider: string;
  /** Where the repository lives, such as github. */
  readonly platform?: string;
  /** One run of a workflow. */
  readonly workflowId?: string;
  /** One run of a quality gate. */
  readonly gateRunId?: string;
  /** A request to a provider or to the platform, with what came of it. */
  readonly callId?: string;
  /** Name of a plugin. */
  readonly plugin?: string;
} & { readonly [name: string]: string | string[]; };

export type ProviderQuotaExceededMetadata = CommonMetadata;

/** A limit of an AI provider, or one that was set for it, is used up. */
export interface ProviderQuotaExceeded extends Stamp {
  readonly type: typeof PROVIDER_QUOTA_EXCEEDED;
  readonly version: 1;
  readonly tags: ProviderQuotaExceededTags;
  readonly metadata: ProviderQuotaExceededMetadata;
  readonly data: ProviderQuotaExceededData;
}

/** A limit of an AI provider, or one that was set for it, is used up. */
export function providerQuotaExceeded(event: Omit<ProviderQuotaExceeded, 'type' | 'version'>): ProviderQuotaExceeded {
  return { ...event, type: PROVIDER_QUOTA_EXCEEDED, version: 1 };
}

export const WORKFLOW_COMPLETED = 'WORKFLOW.COMPLETED';

export type WorkflowCompletedData = {
  /** Of this run of the workflow, not of its definition. */
  readonly workflowId: string;
  readonly outcome: 'succeeded' | 'failed' | 'cancelled';
  readonly durationMs?: number;
  readonly stepsCompleted?: number;
  readonly failure?: {
    /** A word to switch on. */
    readonly code: string;
    readonly message: string;
    /** Whether the same again may succeed. */
    readonly retryable: boolean;
  };
};

export type WorkflowCompletedTags = CommonTags;

export type WorkflowCompletedMetadata = CommonMetadata;

/** A run came to its end, with success or without. The last event of its lifecycle. */
export interface WorkflowCompleted extends Stamp {
  readonly type: typeof WORKFLOW_COMPLETED;
  readonly version: 1;
  readonly tags?: WorkflowCompletedTags;
  readonly metadata: WorkflowCompletedMetadata;
  readonly data: WorkflowCompletedData;
}

/** A run came to its end, with success or without. The last event of its lifecycle. */
export function workflowCompleted(event: Omit<WorkflowCompleted, 'type' | 'version'>): WorkflowCompleted {
  return { ...event, type: WORKFLOW_COMPLETED, version: 1 };
}

export const WORKFLOW_PAUSED = 'WORKFLOW.PAUSED';

export type WorkflowPausedData = {
  /** Of this run of the workflow, not of its definition. */
  readonly workflowId: string;
  readonly reason: 'approval' | 'quota' | 'failure' | 'manual';
  /** The step that is next. */
  readonly step?: string;
  /** When it goes on by itself. */
  readonly resumeAt?: string;
  readonly detail?: string;
};

export type WorkflowPausedTags = CommonTags;

export type WorkflowPausedMetadata = CommonMetadata;

/** A run waits, and nothing of it goes on until it is resumed. */
export interface WorkflowPaused extends Stamp {
  readonly type: typeof WORKFLOW_PAUSED;
  readonly version: 1;
  readonly tags?: WorkflowPausedTags;
  readonly metadata: WorkflowPausedMetadata;
  readonly data: WorkflowPausedData;
}

/** A run waits, and nothing of it goes on until it is resumed. */
export function workflowPaused(event: Omit<WorkflowPaused, 'type' | 'version'>): WorkflowPaused {
  return { ...event, type: WORKFLOW_PAUSED, version: 1 };
}

export const WORKFLOW_RESUMED = 'WORKFLOW.RESUMED';

export type WorkflowResumedData = {
  /** Of this run of the workflow, not of its definition. */
  readonly workflowId: string;
  /** The step that it goes on with. */
  readonly step?: string;
  /** Absent: by itself. */
  readonly resumedBy?: string;
  readonly pausedMs?: number;
};

export type WorkflowResumedTags = CommonTags;

export type WorkflowResumedMetadata = CommonMetadata;

/** A run that was paused goes on. */
export interface WorkflowResumed extends Stamp {
  readonly type: typeof WORKFLOW_RESUMED;
  readonly version: 1;
  readonly tags?: WorkflowResumedTags;
  readonly metadata: WorkflowResumedMetadata;
  readonly data: WorkflowResumedData;
}

/** A run that was paused goes on. */
export function workflowResumed(event: Omit<WorkflowResumed, 'type' | 'version'>): WorkflowResumed {
  return { ...event, type: WORKFLOW_RESUMED, version: 1 };
}

export const WORKFLOW_STARTED = 'WORKFLOW.STARTED';

export type WorkflowStartedData = {
  /** Of this run of the workflow, not of its definition. */
  readonly workflowId: string;
  /** Name of the definition. */
  readonly workflow: string;
  readonly trigger: 'issue' | 'schedule' | 'webhook' | 'manual';
  /** As planned, in their order. */
  readonly steps?: readonly string[];
  /** Whatever the definition takes. */
  readonly input?: { readonly [name: string]: unknown; };
};

export type WorkflowStartedTags = CommonTags;

export type WorkflowStartedMetadata = CommonMetadata;

/** A run of a workflow began. The first event of its lifecycle. */
export interface WorkflowStarted extends Stamp {
  readonly type: typeof WORKFLOW_STARTED;
  readonly version: 1;
  readonly tags?: WorkflowStartedTags;
  readonly metadata: WorkflowStartedMetadata;
  readonly data: WorkflowStartedData;
}

/** A run of a workflow began. The first event of its lifecycle. */
export function workflowStarted(event: Omit<WorkflowStarted, 'type' | 'version'>): WorkflowStarted {
  return { ...event, type: WORKFLOW_STARTED, version: 1 };
}

export const WORKFLOW_STEP_COMPLETED = 'WORKFLOW.STEP_COMPLETED';

export type WorkflowStepCompletedData = {
  /** Of this run of the workflow, not of its definition. */
  readonly workflowId: string;
  readonly step: string;
  readonly outcome: 'succeeded' | 'skipped' | 'failed';
  readonly durationMs?: number;
  readonly attempt?: number;
  readonly failure?: {
    /** A word to switch on. */
    readonly code: string;
    readonly message: string;
    /** Whether the same again may succeed. */
    readonly retryable: boolean;
  };
  /** Whatever the step hands on. */
  readonly output?: { readonly [name: string]: unknown; };
};

export type WorkflowStepCompletedTags = CommonTags;

export type WorkflowStepCompletedMetadata = CommonMetadata;

/** A step of a run came to its end, with success or without. */
export interface WorkflowStepCompleted extends Stamp {
  readonly type: typeof WORKFLOW_STEP_COMPLETED;
  readonly version: 1;
  readonly tags?: WorkflowStepCompletedTags;
  readonly metadata: WorkflowStepCompletedMetadata;
  readonly data: WorkflowStepCompletedData;
}

/** A step of a run came to its end, with success or without. */
export function workflowStepCompleted(event: Omit<WorkflowStepCompleted, 'type' | 'version'>): WorkflowStepCompleted {
  return { ...event, type: WORKFLOW_STEP_COMPLETED, version: 1 };
}

/** Any event of the catalogue; `type` and `version` tell which. */
export type DevelopmentEvent =
  | CodeGeneratedFailed
  | CodeGeneratedSuccess
  | CodeMergedSuccess
  | CodeReviewRequested
  | GateBuildStarted
  | GateReviewRequested
  | GateSecurityScanStarted
  | GateTestStarted
  | IssueAssignedSuccess
  | IssueCommentAdded
  | IssueLabeledChanged
  | IssueUpdatedSuccess
  | PlatformApiCall
  | PlatformFailed
  | PlatformRateLimited
  | PlatformSuccess
  | PluginDebugSnapshotSuccess
  | PluginInstalledSuccess
  | PluginUninstalledSuccess
  | ProviderApiCall
  | ProviderApiFailed
  | ProviderApiSuccess
  | ProviderQuotaExceeded
  | WorkflowCompleted
  | WorkflowPaused
  | WorkflowResumed
  | WorkflowStarted
  | WorkflowStepCompleted;

/** Whether an event that was read is of a type; then its `data` is known too. */
export function isOf<T extends DevelopmentEvent['type']>(
  type: T,
  event: { readonly type: string },
): event is Extract<DevelopmentEvent, { readonly type: T }> {
  return event.type === type;
}
