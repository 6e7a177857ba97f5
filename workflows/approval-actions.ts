import { type ApprovalUpdate, updateNames } from '../contracts/temporal.ts';
import type { AnswerRefusal } from '../domain/approval.ts';
import { waitsForInWords } from '../domain/approval-words.ts';
import type { OperatorAction } from './operator-action.ts';
import type { RunState } from './run-state.ts';

/** The answers to a repair that asks before it acts. */
export const approvalActions: readonly OperatorAction[] = [
  {
    name: updateNames.approve,
    isMute: true,
    refusal: (run, update) => (isRepeat(run, update) ? null : refusal(run, update, 'approve')),
    isRepeat,
    act(run, { by }) {
      const words = run.approval?.approve(by);
      const view = run.approval?.view() ?? null;
      const isWaiting = run.phase === 'awaiting_approval' && run.approval?.isGranted === false;
      if (view !== null && isWaiting) run.explain(waitsForInWords(view, Date.now()));
      return words;
    },
  },
  {
    name: updateNames.reject,
    refusal: (run, update) => refusal(run, update, 'reject'),
    act(run, update) {
      run.decisions.wantCancel({
        ...update,
        reason: `rejected by ${update.by}: ${update.reason}`,
      });
      return 'rejected: it ends cancelled, and nothing was done';
    },
  },
];

/** A double click, also when the first one has let the repair begin. */
function isRepeat(run: RunState, { by }: ApprovalUpdate): boolean {
  return run.approval?.hasApproved(by) === true && run.cancelRequest === null;
}

function refusal(
  run: RunState,
  update: ApprovalUpdate,
  action: 'approve' | 'reject',
): string | AnswerRefusal | null {
  const { phase, approval, cancelRequest } = run;
  if (approval === null || phase !== 'awaiting_approval' || approval.isGranted) {
    return `the remediation is ${phase}: it does not wait for an approval`;
  }
  // Decided already, and it has not come to its end yet.
  if (cancelRequest !== null) return `it was called off: ${cancelRequest.reason}`;
  if (run.isNobodyLeft()) return 'every alert resolved: the remediation is superseded';
  return approval.refusalOf(update, action);
}
