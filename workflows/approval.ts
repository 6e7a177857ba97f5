import { condition } from '@temporalio/workflow';
import type { Plan } from '../contracts/temporal.ts';
import type { Approval } from '../domain/approval.ts';
import { dayAndTime, waitsForInWords } from '../domain/approval-words.ts';
import { durationText } from '../domain/duration-text.ts';
import { namesInWords } from '../domain/names-in-words.ts';
import { hostKeyOf, planDifference } from '../domain/plan-difference.ts';
import { whyNothingStarts } from '../domain/start-refusal.ts';
import { cancelled, type Ending, endingOfRefusal, heldFor, superseded } from './ending.ts';
import { outlookOf } from './outlook.ts';
import type { Planned, RunState } from './run-state.ts';

/** Plans that are made again before a repair gives up on a fleet that is never the same twice. */
const plansMax = 10;

/**
 * Asks people before anything is touched. After they approved the plan is made once more: hosts that are
 * gone are left out, and hosts that are new are asked about by themselves, so that nobody is touched
 * whom nobody approved. Null if it may begin.
 */
export async function passApproval(
  run: RunState,
  first: Planned,
  planAgain: () => Promise<Plan | null>,
): Promise<Ending | null> {
  const { approval } = run;
  if (approval === null) return null;
  const approved = new Set<string>();
  let plan = first;
  for (let made = 1; made <= plansMax; made++) {
    const due = plan.targets.filter((host) => !approved.has(hostKeyOf(host)));
    if (due.length > 0) {
      const added = made === 1 ? null : due.map(({ agentId, name }) => name ?? agentId);
      const ending = await ask(run, {
        approval,
        digest: plan.digest ?? '',
        hosts: due.length,
        added,
      });
      if (ending !== null) return ending;
      for (const host of due) approved.add(hostKeyOf(host));
    }
    const again = await planAgain();
    if (again === null || run.cancelRequest !== null) return cancelled;
    if (again.kind === 'held') return heldFor(again);
    const { added } = planDifference(plan.targets, again.targets);
    plan = takePlan(run, plan, again);
    const refusal = whyNothingStarts(run);
    if (refusal !== null) return endingOfRefusal(refusal);
    if (added.every((host) => approved.has(hostKeyOf(host)))) return null;
  }
  return {
    state: 'held',
    reason: `plan_failed: ${plansMax} plans found other hosts each time, ${plansMax - 1} may; start it again when the fleet is steady`,
  };
}

/** The newer plan counts. Hosts that it lacks stay in sight and are not touched. */
function takePlan(run: RunState, before: Planned, now: Planned): Planned {
  const { gone } = planDifference(before.targets, now.targets);
  const targets = [...now.targets, ...gone];
  const domains = now.domains && {
    ...now.domains,
    of: [...now.domains.of, ...gone.map(() => -1)],
  };
  const merged: Planned = { ...now, targets, ...(domains === undefined ? {} : { domains }) };
  run.planned(merged);
  run.leaveOut(gone.map((_, at) => now.targets.length + at));
  if (gone.length > 0) {
    const names = namesInWords(gone.map(({ agentId, name }) => name ?? agentId));
    const reason = `gone since it was asked: ${names}`;
    run.decisions.record({ action: 'left out', by: 'fixpoint', reason, at: Date.now() });
  }
  run.outlook = outlookOf(run);
  return merged;
}

/** One question, until it is answered or nobody needs the answer any more. Null if it is granted. */
async function ask(
  run: RunState,
  of: {
    readonly approval: Approval;
    readonly digest: string;
    readonly hosts: number;
    readonly added: readonly string[] | null;
  },
): Promise<Ending | null> {
  const { approval, ...question } = of;
  approval.ask(question);
  run.outlook = outlookOf(run);
  let leftMs = approval.rules.expiresMs;
  while (leftMs > 0) {
    const isPaused = run.decisions.pause !== null;
    const sinceMs = Date.now();
    show(run, approval, isPaused ? null : sinceMs + leftMs);
    await answered(run, { approval, isPaused, leftMs });
    if (!isPaused) leftMs -= Date.now() - sinceMs;
    if (run.cancelRequest !== null) return cancelled;
    if (run.isNobodyLeft()) return superseded;
    if (approval.isGranted) return null;
  }
  const { approvers, expiresMs } = approval.rules;
  const missing = `${approvers - approval.left} of ${approvers} approvals came within ${durationText(expiresMs)}`;
  return {
    state: 'expired',
    reason: `expired: ${missing}; a firing after the cooldown asks again`,
  };
}

function show(run: RunState, approval: Approval, untilMs: number | null): void {
  approval.endsAt(untilMs);
  const view = approval.view();
  if (view === null) return;
  run.enter('awaiting_approval', {
    reason: waitsForInWords(view, Date.now()),
    ...(untilMs === null ? {} : { deadlineMs: untilMs }),
  });
}

/** Its time stands still while it is paused (rule X16). */
async function answered(
  run: RunState,
  of: { readonly approval: Approval; readonly isPaused: boolean; readonly leftMs: number },
): Promise<void> {
  const isOver = () =>
    of.approval.isGranted ||
    run.cancelRequest !== null ||
    run.isNobodyLeft() ||
    (run.decisions.pause !== null) !== of.isPaused;
  if (of.isPaused) return condition(isOver);
  const nowMs = Date.now();
  const summary = `approval ends ${dayAndTime(nowMs + of.leftMs, nowMs)}`;
  await condition(isOver, of.leftMs, { summary });
}
