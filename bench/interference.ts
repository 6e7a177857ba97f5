import type { TaskReport } from '../contracts/task.ts';
import { atMost, type Bar, exactly } from './bars.ts';
import { connectedFleet, instant } from './connected-fleet.ts';
import { type Figures, figuresOf } from './figures.ts';
import { type BenchDeps, type FleetRig, startFleetRig } from './fleet-rig.ts';
import { rigTask } from './fleet-task.ts';

export type InterferenceOptions = {
  readonly agents: number;
  /** How long big tasks follow one another, at least. */
  readonly seconds: number;
  /** One-host commands a second, whatever becomes of the others. */
  readonly rate: number;
};

/** Milliseconds from when a one-host command was due until its initiator was told of its end. */
export type InterferenceResult = {
  readonly alone: Figures;
  readonly beside: Figures;
  /** How long each big task took, until it was told. */
  readonly big: Figures;
  readonly startedTwice: number;
  readonly bars: readonly Bar[];
};

const endWithinMs = 120_000;
const aloneSeconds = 10;

/** One-host commands while nothing else runs, and while tasks of all hosts do. */
export async function measureInterference(
  deps: BenchDeps,
  options: InterferenceOptions,
): Promise<InterferenceResult> {
  const { clock, say } = deps;
  const rig = await startFleetRig(deps, { agents: options.agents, gateways: 1 });
  const { fleet } = await connectedFleet(deps, rig, {
    ...{ agents: options.agents, mode: 'whole', behaviour: instant },
  });
  const { rate } = options;
  await bigTask(rig, 'bench/interference/warm-up');
  await singles(deps, rig, { series: 'warm-up', rate, until: clock.monotonic() + 2_000 });
  say('one-host commands alone');
  const until = clock.monotonic() + aloneSeconds * 1_000;
  const alone = await singles(deps, rig, { series: 'alone', rate, until });
  say(`one-host commands beside tasks of ${options.agents} hosts`);
  const bigMs: number[] = [];
  let isOver = false;
  const bigUntil = clock.monotonic() + options.seconds * 1_000;
  const big = async () => {
    for (let round = 0; clock.monotonic() < bigUntil || round < 2; round += 1) {
      bigMs.push(await bigTask(rig, `bench/interference/${round}`));
    }
    isOver = true;
  };
  const [, beside] = await Promise.all([
    big(),
    singles(deps, rig, { series: 'beside', rate, until: bigUntil, isOver: () => isOver }),
  ]);
  const { startedTwice } = await fleet.status();
  const figures = { alone: figuresOf(alone), beside: figuresOf(beside), big: figuresOf(bigMs) };
  return {
    ...figures,
    startedTwice,
    bars: [
      atMost(`one host beside ${options.agents}: p99, ms`, 100, figures.beside.p99),
      exactly('jobs started twice', 0, startedTwice),
    ],
  };
}

async function bigTask(rig: FleetRig, key: string): Promise<number> {
  return told(rig, { key, targets: rig.targets, from: rig.wallClock.now() });
}

/** Open loop: a command that is due is sent, however late the ones before it are. */
async function singles(
  { clock }: BenchDeps,
  rig: FleetRig,
  of: {
    readonly series: string;
    readonly rate: number;
    /** Monotonic milliseconds; with `isOver`, the end is when that says so. */
    readonly until: number;
    readonly isOver?: () => boolean;
  },
): Promise<readonly number[]> {
  const begun = clock.monotonic();
  const begunUnix = rig.wallClock.now();
  const sent: Promise<number>[] = [];
  const isOver = of.isOver ?? (() => clock.monotonic() >= of.until);
  for (let index = 0; !isOver(); index += 1) {
    const due = (index * 1_000) / of.rate;
    const waitMs = begun + due - clock.monotonic();
    if (waitMs > 0) await clock.sleep(waitMs);
    const target = rig.targets[(index * 7_919) % rig.targets.length];
    if (target === undefined) throw new Error('there are no agents');
    const key = `bench/single/${of.series}/${index}`;
    const one = told(rig, { key, targets: [target], from: begunUnix + due });
    one.catch(() => undefined); // Heard below, with all of them.
    sent.push(one);
  }
  return Promise.all(sent);
}

/** Milliseconds from `from` until the task's end was told. Throws unless all its hosts succeeded. */
async function told(
  rig: FleetRig,
  of: { readonly key: string; readonly targets: FleetRig['targets']; readonly from: number },
): Promise<number> {
  const [gateway] = rig.gateways;
  const { key, targets } = of;
  const task = rigTask(rig, key, targets);
  const end = rig.callbacks.endOf(task.taskId, endWithinMs);
  end.catch(() => undefined); // Heard below, unless the submit fails first.
  await gateway?.submit(task.key, await task.body());
  const { at, report } = await end;
  requireSuccess(report, targets.length);
  return at - of.from;
}

function requireSuccess({ letters, taskId }: TaskReport, count: number): void {
  if (letters !== 's'.repeat(count)) throw new Error(`task ${taskId} ended as ${letters}`);
}
