import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ParentClosePolicy, startChild } from '@temporalio/workflow';
import { workflowIds, workflowTypes } from '../contracts/temporal.ts';
import { accountOf } from '../domain/account.ts';
import { escalatedEnd } from '../domain/escalation.ts';
import { attributes } from './attributes.ts';
import type { escalation } from './escalation.workflow.ts';
import type { RunState } from './run-state.ts';

/**
 * Has a person told of a repair that ended, if its policy wants that: by a workflow that outlives it, so
 * that no receiver holds up its end. Of one repair once.
 */
export async function escalate(
  run: RunState,
  of: { readonly state: string; readonly reason: string | null },
): Promise<void> {
  const { policy, runbook, remediationId, episodes, clocks } = run.input;
  const end = escalatedEnd(policy.escalation, of);
  if (policy.escalation === undefined || end === null) return;
  const { targets } = run;
  const names = { policy: policy.name, runbook: runbook.name };
  const account = accountOf({ ...of, ...names, episodes, targets, letters: run.letters() });
  const input = {
    policy: policy.name,
    url: policy.escalation.url,
    retryMs: clocks.escalationRetryMs,
    body: {
      type: `remediation.${end}` as const,
      timestamp: new Date().toISOString(),
      data: {
        ...{ remediationId, state: end, reason: of.reason, ...names, account },
        alerts: [...new Set(episodes.map(({ name }) => name))].slice(0, alertsMax),
        hosts: targets.length,
        hostsFailed: run.hostsFailed(),
        command: `fixpoint remediation show ${remediationId}`,
      },
    },
  };
  try {
    await startChild<typeof escalation>(workflowTypes.escalation, {
      workflowId: workflowIds.escalation(remediationId),
      args: [input],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      staticSummary: `${policy.name} · ${end}`.slice(0, 60),
      typedSearchAttributes: [
        { key: attributes.state, value: 'sending' },
        { key: attributes.policy, value: policy.name },
      ],
    });
  } catch (error) {
    // Told already: a reset of the repair's history ends it a second time.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

const alertsMax = 20;
