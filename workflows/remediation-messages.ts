import {
  ApplicationFailure,
  defineQuery,
  defineSignal,
  defineUpdate,
  setHandler,
} from '@temporalio/workflow';
import type { HoldsView } from '../contracts/admission.ts';
import type { StopChangedSignal } from '../contracts/stop.ts';
import {
  type ApprovalUpdate,
  type EpisodeChangedSignal,
  type OperatorDecision,
  queryNames,
  type RemediationProgress,
  type RemediationState,
  signalNames,
  type TaskFinishedSignal,
  updateNames,
} from '../contracts/temporal.ts';
import { isRemediationEnd } from '../domain/remediation-end.ts';
import { approvalActions } from './approval-actions.ts';
import type { OperatorAction } from './operator-action.ts';
import { retryFailedAction } from './retry-failed.ts';
import type { RunState } from './run-state.ts';

export const taskFinishedSignal = defineSignal<[TaskFinishedSignal]>(signalNames.taskFinished);
export const episodeChangedSignal = defineSignal<[EpisodeChangedSignal]>(
  signalNames.episodeChanged,
);
export const stopChangedSignal = defineSignal<[StopChangedSignal]>(signalNames.stopChanged);
export const progressQuery = defineQuery<RemediationProgress>(queryNames.progress);
export const planQuery = defineQuery<RemediationProgress['targets']>(queryNames.plan);
export const holdsQuery = defineQuery<HoldsView>(queryNames.holds);

/**
 * Takes in what others tell and ask of a repair. Handlers only write into its state, and validators
 * look at it synchronously: what is refused leaves no trace in history.
 */
export function handleMessages(run: RunState): void {
  setHandler(progressQuery, () => run.progress());
  setHandler(planQuery, () => run.progress().targets);
  setHandler(holdsQuery, () =>
    // One that has ended frees everything, whether or not that was done yet.
    isRemediationEnd(run.phase) || run.holds === null ? nothingHeld : run.holds.view(),
  );
  setHandler(taskFinishedSignal, ({ report }) => {
    // Only tasks of this run, so that a stranger's repeats cannot grow our state.
    if (report.state !== 'finished' || !report.key.startsWith(`${run.input.remediationId}/`))
      return;
    run.reports.set(report.key, report);
  });
  setHandler(episodeChangedSignal, ({ resolved, returned = [] }) => {
    run.resolve(resolved);
    run.reopen(returned);
  });
  setHandler(stopChangedSignal, ({ stop }) => run.stopChanged(stop));
  for (const action of operatorActions) handleUpdate(run, action);
}

/** From `verifying` on the repair is done; what is left is to prove it (rule R9). */
export const isCancellable = (run: RunState): boolean => startsMore.has(run.pausedIn ?? run.phase);

const nothingHeld: HoldsView = { places: [], services: [], hosts: [] };

const startsMore: ReadonlySet<RemediationState> = new Set([
  'planning',
  'awaiting_approval',
  'admitting',
  'running',
  'paused',
]);

/** What can be paused: also the undoing, which nobody can call off. */
const isPausable = (run: RunState): boolean =>
  isCancellable(run) || (run.pausedIn ?? run.phase) === 'rolling_back';

const operatorActions: readonly OperatorAction[] = [
  ...approvalActions,
  retryFailedAction,
  {
    name: updateNames.cancel,
    refusal: (run) =>
      isCancellable(run) ? null : `the remediation is ${run.phase}: too late to cancel`,
    isMute: true,
    act: (run, update) => void run.decisions.wantCancel(update),
  },
  {
    name: updateNames.pause,
    refusal(run) {
      const { pause } = run.decisions;
      if (!isPausable(run)) return `the remediation is ${run.phase}: no batch is left to pause`;
      return pause === null ? null : `${pause.by} has paused it already: ${pause.reason}`;
    },
    act: (run, update) => void run.decisions.wantPause(update),
  },
  {
    name: updateNames.resume,
    refusal: (run) => (isPausable(run) ? notPaused(run) : `the remediation is ${run.phase}`),
    act: (run) => void run.decisions.wantResume(),
  },
  {
    name: updateNames.confirmBatch,
    refusal: (run) =>
      run.phase === 'paused' || run.phase === 'rolling_back'
        ? notPaused(run)
        : `the remediation is ${run.phase}: only one that is paused waits for a batch to be confirmed`,
    act: (run) => void run.decisions.confirmBatch(),
  },
];

const notPaused = (run: RunState): string | null =>
  run.decisions.pause === null ? 'the remediation is not paused' : null;

function handleUpdate(run: RunState, action: OperatorAction): void {
  setHandler(
    defineUpdate<string | undefined, [ApprovalUpdate]>(action.name),
    (update) => {
      const isRepeat = action.isRepeat?.(run, update) ?? false;
      if (!isRepeat) run.decisions.record(decisionOf(action.name, update));
      return action.act(run, update);
    },
    {
      validator: (update: ApprovalUpdate) => {
        const isSpoken = isText(update?.by) && (isText(update.reason) || action.isMute === true);
        const refusal = isSpoken ? action.refusal(run, update) : missingWords(action);
        if (refusal === null) return;
        const { code, words } =
          typeof refusal === 'string' ? { code: 'conflict', words: refusal } : refusal;
        throw ApplicationFailure.nonRetryable(words, code);
      },
    },
  );
}

/** By Temporal UI anything may come along: only what is known is kept. */
function decisionOf(action: string, update: ApprovalUpdate): OperatorDecision {
  const { by, reason, claimed, via } = update;
  return {
    action,
    by,
    reason: isText(reason) ? reason : '',
    at: Date.now(),
    via: via === 'api' ? 'api' : 'temporal',
    ...(isText(claimed) ? { claimed } : {}),
  };
}

const missingWords = ({ isMute }: OperatorAction): string =>
  isMute
    ? 'say who asks: {"by": "your name"}'
    : 'say who asks and why: {"by": "your name", "reason": "why"}';

/** An update may come from Temporal UI, where people write its argument by hand. */
const isText = (text: unknown): text is string => typeof text === 'string' && text.trim() !== '';
