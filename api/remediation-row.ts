import type { WorkflowExecutionInfo } from '@temporalio/client';
import type { RemediationRow } from '../contracts/http.ts';
import { attributeKeys as attributes } from '../platform/search-attributes.ts';

type Described = Pick<
  WorkflowExecutionInfo,
  'workflowId' | 'runId' | 'status' | 'startTime' | 'closeTime' | 'typedSearchAttributes'
>;

/**
 * One line of the listing. A run that Temporal ended from outside, as by terminate, is told by
 * Temporal's word for it: its own last state would say that it still runs.
 */
export function remediationRowOf(info: Described): RemediationRow {
  const text = (key: typeof attributes.state): string => info.typedSearchAttributes.get(key) ?? '';
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
