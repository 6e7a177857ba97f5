import {
  ApplicationFailure,
  defineQuery,
  defineSignal,
  defineUpdate,
  setHandler,
} from '@temporalio/workflow';
import type { HoldsView } from '../contracts/admission.ts';
import {
  type EpisodeChangedSignal,
  type OperatorUpdate,
  queryNames,
  type RemediationEnd,
  type RemediationProgress,
  type RemediationState,
  signalNames,
  type TaskFinishedSignal,
  updateNames,
} from '../contracts/temporal.ts';
import type { RunState } from './run-state.ts';

export const taskFinishedSignal = defineSignal<[TaskFinishedSignal]>(signalNames.taskFinished);
export const episodeChangedSignal = defineSignal<[EpisodeChangedSignal]>(
  signalNames.episodeChanged,
);
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
    run.phase in ends || run.holds === null ? nothingHeld : run.holds.view(),
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
  for (const action of operatorActions) handleUpdate(run, action);
}

/** From `verifying` on the repair is done; what is left is to prove it (rule R9). */
export const isCancellable = (run: RunState): boolean => startsMore.has(run.phase);

const ends: Readonly<Record<RemediationEnd, true>> = {
  verified: true,
  resolved: true,
  failed: true,
  cancelled: true,
  superseded: true,
  held: true,
};

const nothingHeld: HoldsView = { places: [], services: [], hosts: [] };

const startsMore: ReadonlySet<RemediationState> = new Set([
  'planning',
  'admitting',
  'running',
  'paused',
]);

/** An update of an operator: why it is refused now, or null, and what it does. */
type OperatorAction = {
  readonly name: string;
  readonly refusal: (run: RunState) => string | null;
  readonly act: (run: RunState, update: OperatorUpdate) => void;
};

const operatorActions: readonly OperatorAction[] = [
  {
    name: updateNames.cancel,
    refusal: (run) =>
      isCancellable(run) ? null : `the remediation is ${run.phase}: too late to cancel`,
    act: (run, update) => run.decisions.wantCancel(update),
  },
  {
    name: updateNames.pause,
    refusal(run) {
      const { pause } = run.decisions;
      if (!isCancellable(run)) return `the remediation is ${run.phase}: no batch is left to pause`;
      return pause === null ? null : `${pause.by} has paused it already: ${pause.reason}`;
    },
    act: (run, update) => run.decisions.wantPause(update),
  },
  {
    name: updateNames.resume,
    refusal: (run) => (isCancellable(run) ? notPaused(run) : `the remediation is ${run.phase}`),
    act: (run) => run.decisions.wantResume(),
  },
  {
    name: updateNames.confirmBatch,
    refusal: (run) =>
      run.phase === 'paused'
        ? notPaused(run)
        : `the remediation is ${run.phase}: only one that is paused waits for a batch to be confirmed`,
    act: (run) => run.decisions.confirmBatch(),
  },
];

const notPaused = (run: RunState): string | null =>
  run.decisions.pause === null ? 'the remediation is not paused' : null;

function handleUpdate(run: RunState, action: OperatorAction): void {
  setHandler(
    defineUpdate<void, [OperatorUpdate]>(action.name),
    (update) => {
      const { by, reason } = update;
      run.decisions.record({ action: action.name, by, reason, at: Date.now() });
      action.act(run, update);
    },
    {
      validator: (update: OperatorUpdate) => {
        const isSpoken = isText(update?.by) && (isText(update.reason) || mayBeMute(action));
        const refusal = isSpoken ? action.refusal(run) : missingWords;
        if (refusal !== null) throw ApplicationFailure.nonRetryable(refusal, 'conflict');
      },
    },
  );
}

const missingWords = 'say who asks and why: {"by": "your name", "reason": "why"}';

/** An update may come from Temporal UI, where people write its argument by hand. */
const isText = (text: unknown): boolean => typeof text === 'string' && text.trim() !== '';

/** Whoever calls a repair off need not say why first. */
const mayBeMute = ({ name }: OperatorAction): boolean => name === updateNames.cancel;
