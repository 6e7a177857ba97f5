import { setTimeout } from 'node:timers/promises';
import type { ChaosRig } from './chaos-rig.ts';
import { type Fault, inWords, type Plan } from './faults.ts';
import { stories } from './stories.ts';

/** What a round came to. `violations` are the checker's and those of stories that never ended. */
export type Round = {
  readonly plan: Plan;
  /** States in which the repairs ended, in the order of the stories; null where none was due. */
  readonly ends: readonly (string | null)[];
  /** How many faults hit something. */
  readonly hits: number;
  readonly violations: readonly string[];
};

/** Arms, sends, hurts, waits until all has ended, and has it judged. Never rejects. */
export async function runRound(rig: ChaosRig, plan: Plan): Promise<Round> {
  const sinceMs = Date.now();
  const told = await tell(rig, plan);
  const violations = await rig
    .check(sinceMs)
    .catch((error: unknown) => [`the evidence cannot be read: ${String(error)}`]);
  return { ...told, violations: [...told.violations, ...violations] };
}

/** The same without the judgement, for rounds that are judged together. */
export async function tell(rig: ChaosRig, plan: Plan): Promise<Round> {
  const points = plan.faults.filter((fault) => fault.kind === 'point');
  for (const { program, point } of points) rig.arm(program, point);
  const hurting = plan.faults.map((fault) => hurt(rig, fault));
  const telling = plan.stories.map(({ story, host }, at) =>
    stories[story]({ rig, name: `${plan.name}-${at}-${story}`, host }),
  );
  const settled = await Promise.allSettled(telling);
  const hits = (await Promise.all(hurting)).filter((isHit) => isHit).length;
  for (const { program, point } of points) rig.disarm(program, point);
  const dead = points.filter(({ program, point }) => rig.hasDied(program, point)).length;
  return {
    plan,
    ends: settled.map((each) => (each.status === 'fulfilled' ? each.value : null)),
    hits: hits + dead,
    violations: settled.flatMap((each, at) =>
      each.status === 'rejected'
        ? [`${plan.name}-${at}-${plan.stories[at]?.story} did not end: ${String(each.reason)}`]
        : [],
    ),
  };
}

/** Resolves when the fault is over, with whether it met a process; points are hit by themselves. */
async function hurt(rig: ChaosRig, fault: Fault): Promise<boolean> {
  if (fault.kind === 'point') return false;
  await setTimeout(fault.afterMs);
  if (fault.kind === 'kill') return rig.signal(fault.part, 'SIGKILL');
  const isHit = rig.signal(fault.part, 'SIGSTOP');
  await setTimeout(fault.forMs);
  rig.signal(fault.part, 'SIGCONT');
  return isHit;
}

/** One line about a round, and one for each violation. */
export function roundInWords({ plan, ends, violations }: Round): string {
  const stories = plan.stories.map(({ story }, at) => `${story} ${ends[at] ?? '–'}`).join(', ');
  const head = `${violations.length === 0 ? 'ok  ' : 'FAIL'} ${plan.name}: ${plan.faults.map(inWords).join('; ')} → ${stories}`;
  return [head, ...violations.map((violation) => `     ${violation}`)].join('\n');
}
