import { condition } from '@temporalio/workflow';
import {
  failuresAllowed,
  isFailedLetter,
  isNeverStarted,
  isSuccessLetter,
} from '../domain/batch-ledger.ts';
import { HostQueue } from '../domain/host-queue.ts';
import { stepBatches } from '../domain/step-batches.ts';
import { admit } from './admission.ts';
import { runBatch, type StepPlace } from './batch-attempts.ts';
import { isTrial, isTried, trialBatches } from './breaker-trial.ts';
import { waitUnlessCancelled } from './cancellable-wait.ts';
import { handOverIfLong } from './fresh-history.ts';
import { proveTouched } from './proof-between.ts';
import { retryableHosts } from './retry-failed.ts';
import type { RunState } from './run-state.ts';
import { passStop } from './stop-wait.ts';

/** Why a step ended before its last batch. */
export type StepStop =
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'held'; readonly reason: string }
  | { readonly kind: 'cancelled' };

/**
 * One step over its batches, each begun only when what came before allows it: admitted, not paused,
 * not cancelled, and with few enough failures (invariant 8). Hosts that are not admitted go to later
 * batches.
 */
export class StepRollout {
  readonly #run: RunState;
  readonly #place: StepPlace;
  /** Of the step in the runbook, from 0. */
  readonly #index: number;
  readonly #planned: readonly number[];
  readonly #allowed: number;
  #queue = new HostQueue({ waiting: [], sizes: [] });

  constructor(run: RunState, index: number, planned: readonly number[]) {
    const step = run.input.runbook.steps[index];
    if (step === undefined) throw new Error(`there is no step ${index}`);
    this.#run = run;
    this.#place = { step, number: index + 1 };
    this.#index = index;
    this.#planned = planned;
    this.#allowed = failuresAllowed(step.rollout.maxFailures, planned.length);
  }

  /** Null if it came to its end: then every host has its letter, or waited too long to be admitted. */
  async from(firstBatch: number): Promise<StepStop | null> {
    const { step } = this.#place;
    const cut = stepBatches(this.#run, step, this.#planned);
    const plan = isTrial(this.#run) ? trialBatches(cut) : cut;
    if (plan.kind === 'too_many_batches') {
      const reason = `step ${step.name}: ${plan.hostsLeft} hosts would have no batch`;
      return { kind: 'failed', reason };
    }
    this.#queue = this.#run.rollout.beginStep(plan.batches, firstBatch);
    this.#run.ledgerOf(step.name);
    this.#run.openStep = { step, planned: this.#planned };
    for (let batch = firstBatch; this.#queue.length > 0; batch++) {
      const stopped = await this.#runBatch(batch);
      if (stopped !== null) return stopped;
      if (this.#run.rollout.givenUp !== null || this.#queue.length === 0) return null;
      if (isTried(this.#run, step.name)) return null;
      const stoppedBetween = await this.#passBetween();
      if (stoppedBetween !== null) return stoppedBetween;
      // After the waits, because the fresh history begins with the batch.
      const next = { step: this.#index, batch: batch + 1 };
      await handOverIfLong(this.#run, next.batch, () => this.#run.carried(next));
    }
    return null;
  }

  async #runBatch(batch: number): Promise<StepStop | null> {
    const run = this.#run;
    const queue = this.#queue;
    const batches = isTrial(run) ? batch + 1 : queue.batchesFrom(batch);
    const place = { ...this.#place, batch: batch + 1, batches };
    for (;;) {
      const stopped = this.#judge();
      if (stopped !== null) return stopped;
      await this.#passPause();
      if (run.cancelRequest !== null) return { kind: 'cancelled' };
      if (run.decisions.takeRetry()) return this.#tryAgain(batch);
      const admitted = await admit(run, place, queue);
      if (admitted.kind === 'interrupted') continue;
      if (admitted.kind === 'stopped') {
        await passStop(run, () => this.#isEveryoneOver());
        continue;
      }
      if (admitted.kind === 'given_up') {
        run.rollout.giveUp(admitted.refusals);
        return null;
      }
      const held = await this.#touch(place, admitted.positions);
      if (held !== null) return held;
      if (run.cancelRequest !== null) return { kind: 'cancelled' };
      return this.#judge();
    }
  }

  /**
   * Failed hosts once more, as a batch of their own. What Fixpoint paused for is judged anew by how they
   * come back; whoever else paused it still has it paused.
   */
  async #tryAgain(batch: number): Promise<StepStop | null> {
    const run = this.#run;
    const positions = retryableHosts(run);
    run.rollout.tryAgain(batch, positions.length);
    const batches = this.#queue.batchesFrom(batch + 1);
    const place = { ...this.#place, batch: batch + 1, batches };
    const again = new HostQueue({ waiting: positions, sizes: [positions.length] });
    const admitted = await admit(run, place, again);
    if (admitted.kind === 'admitted') {
      const held = await this.#touch(place, admitted.positions);
      if (held !== null) return held;
    }
    if (run.cancelRequest !== null) return { kind: 'cancelled' };
    if (run.decisions.pause?.by === 'fixpoint') run.decisions.wantResume();
    run.rollout.recovered(this.#place.step.name);
    return this.#judge();
  }

  async #touch(
    place: Parameters<typeof runBatch>[1],
    positions: readonly number[],
  ): Promise<StepStop | null> {
    const run = this.#run;
    run.decisions.started();
    run.takeWasStopped();
    const held = await runBatch(run, place, positions);
    const ledger = run.ledgerOf(place.step.name);
    if (run.takeWasStopped()) this.#putBack(positions);
    // Admitted, and then its alerts were over before anything was done to it.
    run.holds?.free(positions.filter((position) => ledger.letterAt(position) === 'k'));
    return held;
  }

  /** Hosts that the stop kept from starting fail nothing: they wait for their turn once more. */
  #putBack(positions: readonly number[]): void {
    const run = this.#run;
    const ledger = run.ledgerOf(this.#place.step.name);
    const kept = positions.filter((position) => isNeverStarted(ledger.letterAt(position)));
    ledger.restore(kept);
    run.holds?.free(kept);
    this.#queue.toEnd(kept);
  }

  /**
   * Failed hosts of the step, those whose proof failed among them. In a repair that nobody cancelled a
   * cancelled job was cancelled at its task: no positive answer either (invariant 8).
   */
  #failures(): { readonly count: number; readonly words: string } {
    const ledger = this.#run.ledgerOf(this.#place.step.name);
    const proofs = this.#run.knownLedgerOf('verify');
    const unproven = this.#planned.filter(
      (position) =>
        isSuccessLetter(ledger.letterAt(position)) &&
        isFailedLetter(proofs?.letterAt(position) ?? 'h'),
    );
    const cancelled = ledger.cancelled();
    return {
      count: ledger.failed() + cancelled + unproven.length,
      words: cancelled === 0 ? 'failed' : 'failed or were cancelled',
    };
  }

  /** Whether the step may go on; more failures than it may have end it, pause it or are told at the end. */
  #judge(): StepStop | null {
    const { rollout, decisions, input } = this.#run;
    const { step } = this.#place;
    const { count, words } = this.#failures();
    if (count - rollout.accepted <= this.#allowed) return null;
    const reason = `step ${step.name}: ${count} hosts ${words}, ${this.#allowed} may`;
    const mode = step.rollout.mode ?? 'stop';
    if (mode === 'stop') return { kind: 'failed', reason };
    rollout.overran(step.name, reason);
    const isMoreToCome =
      !isTrial(this.#run) &&
      (this.#queue.length > 0 || this.#index + 1 < input.runbook.steps.length);
    if (mode === 'pause' && isMoreToCome) decisions.wantPause({ by: 'fixpoint', reason });
    return null;
  }

  /** Waits while an operator, or too many failures, keep further batches from starting (rule X16). */
  async #passPause(): Promise<void> {
    const run = this.#run;
    const { pause } = run.decisions;
    const goesOn = () =>
      run.decisions.mayStart ||
      run.decisions.isRetryWanted ||
      run.cancelRequest !== null ||
      this.#isEveryoneOver();
    if (pause === null || goesOn()) return;
    const reason = `${pause.reason} (${pause.by}); it waits for resume, confirmBatch or cancel`;
    run.enter('paused', { reason });
    await condition(goesOn);
    if (run.cancelRequest !== null) return;
    // Whoever lets it go on has seen these failures.
    if (run.decisions.mayStart) run.rollout.accept(this.#failures().count);
    run.enter(run.holds === null ? 'running' : 'admitting');
  }

  /** Nothing is left that could start: every alert of whoever waits is over (rule R4). */
  #isEveryoneOver(): boolean {
    return this.#queue.waiting.every((position) => this.#run.isDropped(position));
  }

  async #passBetween(): Promise<StepStop | null> {
    const run = this.#run;
    const { step, number } = this.#place;
    const { soakMs, pauseBetweenMs = 0, expression } = step.rollout;
    await waitUnlessCancelled(run, soakMs, `soak · step ${number} ${step.name}`);
    // In a repair begun before there were expressions a soak is a wait and no more.
    if (soakMs > 0 && expression !== undefined && run.cancelRequest === null) {
      await proveTouched(run);
      const stopped = this.#judge();
      if (stopped !== null) return stopped;
    }
    await waitUnlessCancelled(run, pauseBetweenMs, `pause between · step ${number} ${step.name}`);
    return run.cancelRequest === null ? null : { kind: 'cancelled' };
  }
}
