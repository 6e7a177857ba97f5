import type { WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { RemediationRow } from '../contracts/http.ts';

const keyword = (name: string) => defineSearchAttributeKey(name, 'KEYWORD');
const attributes = {
  state: keyword('FixpointState'),
  policy: keyword('FixpointPolicy'),
  runbook: keyword('FixpointRunbook'),
  group: keyword('FixpointGroup'),
  severity: keyword('FixpointSeverity'),
  hosts: defineSearchAttributeKey('FixpointHosts', 'INT'),
  hostsFailed: defineSearchAttributeKey('FixpointHostsFailed', 'INT'),
};

type Described = Pick<
  WorkflowExecutionInfo,
  'workflowId' | 'runId' | 'status' | 'startTime' | 'closeTime' | 'typedSearchAttributes'
>;

/**
 * One line of the listing. A run that Temporal ended from outside, as by terminate, is told by
 * Temporal's word for it: its own last state would say that it still runs.
 */
export function remediationRowOf(info: Described): RemediationRow {
  const text = (key: ReturnType<typeof keyword>): string =>
    info.typedSearchAttributes.get(key) ?? '';
  const status = info.status.name;
  const endedByItself = status === 'RUNNING' || status === 'COMPLETED';
  const state = text(attributes.state);
  return {
    id: info.workflowId,
    state: endedByItself && state !== '' ? state : status.toLowerCase(),
    policy: text(attributes.policy),
    runbook: text(attributes.runbook),
    group: text(attributes.group),
    severity: text(attributes.severity),
    hosts: info.typedSearchAttributes.get(attributes.hosts) ?? 0,
    hostsFailed: info.typedSearchAttributes.get(attributes.hostsFailed) ?? 0,
    startedAt: info.startTime.toISOString(),
    endedAt: info.closeTime?.toISOString() ?? null,
    runId: info.runId,
  };
}
