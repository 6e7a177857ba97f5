import type { FrozenStep } from '../contracts/frozen.ts';
import { limits } from '../contracts/limits.ts';
import { updateNames } from '../contracts/temporal.ts';
import type { RetryClass } from '../domain/job.ts';
import type { OperatorAction } from './operator-action.ts';
import type { RunState } from './run-state.ts';

/**
 * Failed hosts of the step that is paused which may be tried again by hand, as many as one batch takes. An
 * outcome that is unknown is never repeated blindly (invariant 2): only of a repeatable step.
 */
export function retryableHosts(run: RunState): readonly number[] {
  const { openStep } = run;
  if (openStep === null) return [];
  const { step, planned } = openStep;
  return run
    .ledgerOf(step.name)
    .retryable({ positions: planned, classes: classesOf(step), refusedForNow: new Set() })
    .filter((position) => !run.isDropped(position))
    .slice(0, limits.batchHostsDefault);
}

const classesOf = ({ contract }: FrozenStep): readonly RetryClass[] =>
  contract === 'repeatable'
    ? ['failed', 'timed_out', 'unreachable', 'unknown']
    : ['failed', 'timed_out', 'unreachable'];

/** While it is paused the failed hosts of its step are tried again, as a batch of their own. */
export const retryFailedAction: OperatorAction = {
  name: updateNames.retryFailed,
  refusal(run) {
    if (run.phase !== 'paused' || run.decisions.pause === null) {
      return `the remediation is ${run.phase}: failed hosts are tried again while it is paused, or when it has ended`;
    }
    if (run.decisions.isRetryWanted) return 'failed hosts are about to be tried again already';
    if (retryableHosts(run).length > 0) return null;
    return 'no failed host of this step may be tried again: none failed, or what became of them is not known';
  },
  act(run) {
    run.decisions.wantRetry();
    const { length } = retryableHosts(run);
    return `${length} ${length === 1 ? 'host is' : 'hosts are'} tried again`;
  },
};
