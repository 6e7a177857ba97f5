import { condition } from '@temporalio/workflow';
import type { Refusal } from '../contracts/admission.ts';
import type { HostQueue } from '../domain/host-queue.ts';
import { refusalsInWords } from '../domain/refusal-words.ts';
import { hostsInWords } from '../domain/remediation-details.ts';
import { admitting, admittingAtOnce } from './activity-proxies.ts';
import { atOnceOrQueued } from './at-once.ts';
import type { BatchPlace } from './batch-attempts.ts';
import { unlessCancelled } from './cancellable-wait.ts';
import { proveTouched } from './proof-between.ts';
import type { RunState } from './run-state.ts';

export type Admitted =
  /** These may be touched now, and wait no longer. None, if nobody is left whose alerts go on. */
  | { readonly kind: 'admitted'; readonly positions: readonly number[] }
  /** Something happened that its caller must look at before a batch starts: it asks again then. */
  | { readonly kind: 'interrupted' }
  /** The repair's policy is stopped. */
  | { readonly kind: 'stopped' }
  /** Nobody was admitted for `clocks.admitTimeoutMs`. */
  | { readonly kind: 'given_up'; readonly refusals: readonly Refusal[] };

/** Waits double up to so many times the first one: who waits long must not come too late either. */
const waitGrowthMax = 16;

/** Asks for other hosts in place of those that were refused, before it waits for the first time. */
const asksAtOnce = 3;

/**
 * Asks the governor for the next hosts that wait, as many as the batch has, until it grants at least
 * one (invariant 5). Whoever is refused goes to the end. Nobody waits while holding hosts that it has
 * not touched, so no two repairs wait for one another (rule R12). What this repair itself holds is
 * proven first where that makes room.
 */
export async function admit(run: RunState, place: BatchPlace, queue: HostQueue): Promise<Admitted> {
  const { holds } = run;
  if (holds === null) return taken(queue, queue.first(place.batch - 1));
  const { admitTimeoutMs, admitRetryMs } = run.input.clocks;
  const endMs = Date.now() + admitTimeoutMs;
  let waitMs = admitRetryMs;
  for (let asks = 1; ; asks++) {
    const due = nextWithoutDropped(run, place, queue);
    if (due.length === 0) return { kind: 'admitted', positions: [] };
    // Asked while it holds too much itself, it would be refused for its own sake.
    if (holds.exceeds(due) && (await proveTouched(run)) === 'failing') {
      return { kind: 'interrupted' };
    }
    const answer = run.cancelRequest === null ? await ask(run, place, due) : null;
    if (answer === null) return { kind: 'interrupted' };
    if (run.stop !== null) return { kind: 'stopped' };
    queue.toEnd(answer.refused);
    if (answer.granted.length > 0) {
      if (run.phase === 'admitting') run.enter('running');
      return taken(queue, answer.granted);
    }
    // A proof makes room under caps and floors only.
    const isOthers = answer.refusals.every(
      ({ reason }) => reason === 'busy' || reason === 'stopped',
    );
    const proof = isOthers ? 'nothing' : await proveTouched(run);
    if (proof === 'failing') return { kind: 'interrupted' };
    const areOthersLeft = asks < asksAtOnce && due.length * asks < queue.length;
    if (proof === 'proven' || areOthersLeft) continue;
    if (Date.now() >= endMs) return { kind: 'given_up', refusals: answer.refusals };
    await waitForRoom(run, place, { queue, refusals: answer.refusals, waitMs, endMs });
    if (run.cancelRequest !== null || !run.decisions.mayStart) return { kind: 'interrupted' };
    waitMs = Math.min(waitMs * 2, admitRetryMs * waitGrowthMax);
  }
}

function taken(queue: HostQueue, positions: readonly number[]): Admitted {
  queue.take(positions);
  return { kind: 'admitted', positions };
}

/**
 * The next hosts that wait. Those of them whose alerts are over leave with `k` (rule R4), now that it is
 * their turn: until then an alert may come back.
 */
function nextWithoutDropped(
  run: RunState,
  { step, batch }: BatchPlace,
  queue: HostQueue,
): readonly number[] {
  for (;;) {
    const due = queue.first(batch - 1);
    const dropped = due.filter((position) => run.isDropped(position));
    if (dropped.length === 0) return due;
    run.ledgerOf(step.name).skip(dropped);
    queue.take(dropped);
  }
}

type Judged = {
  readonly granted: readonly number[];
  readonly refused: readonly number[];
  readonly refusals: readonly Refusal[];
};

/** Null if the repair was cancelled before there was an answer; what is granted later is freed at its end. */
async function ask(
  run: RunState,
  place: BatchPlace,
  due: readonly number[],
): Promise<Judged | null> {
  const { holds, input } = run;
  const { guards } = input.policy;
  if (holds === null || guards === undefined) return null;
  const question = holds.question(due);
  const asked = { remediationId: input.remediationId, guards, ...question };
  const summary = `admit · ${labelOf(run, place, due)}`;
  const answer = await unlessCancelled(run, () =>
    atOnceOrQueued(
      () => admittingAtOnce(input.clocks, { summary }).admitBatch(asked),
      () => admitting(input.clocks, { summary }).admitBatch(asked),
    ),
  );
  if (answer === null) return null;
  // The governor's word is newer than what was signalled, and may have overtaken it.
  if (answer.stop !== undefined || run.stop !== null) run.stopChanged(answer.stop ?? null);
  return { ...holds.answered(due, answer, question.release), refusals: answer.refusals };
}

async function waitForRoom(
  run: RunState,
  place: BatchPlace,
  of: {
    readonly queue: HostQueue;
    readonly refusals: readonly Refusal[];
    readonly waitMs: number;
    readonly endMs: number;
  },
): Promise<void> {
  const waitMs = Math.max(1, Math.min(of.waitMs, of.endMs - Date.now()));
  const why = refusalsInWords(of.refusals);
  const reason = `batch ${place.batch} of step ${place.step.name} waits: ${why}`;
  if (run.phase === 'admitting' && run.reason !== null) run.explain(reason);
  else run.enter('admitting', { reason, deadlineMs: of.endMs });
  await condition(
    () =>
      run.cancelRequest !== null ||
      !run.decisions.mayStart ||
      of.queue.waiting.every((position) => run.isDropped(position)),
    waitMs,
    { summary: `admission in ${Math.ceil(waitMs / 1_000)} s · ${why}` },
  );
}

function labelOf(run: RunState, place: BatchPlace, due: readonly number[]): string {
  const targets = due.flatMap((position) => run.targets[position] ?? []);
  return `step ${place.number} ${place.step.name} · batch ${place.batch}/${place.batches} · ${hostsInWords(targets)}`;
}
