import { atMost, type Bar, exactly } from './bars.ts';
import { connectedFleet, instant } from './connected-fleet.ts';
import { type Figures, figuresOf } from './figures.ts';
import { type BenchDeps, type FleetRig, startFleetRig } from './fleet-rig.ts';
import { type BenchTask, requireSuccess, rigTask } from './fleet-task.ts';

export type InterferenceOptions = {
  readonly agents: number;
  /** Big tasks, one after the other. */
  readonly tasks: number;
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
const aloneMs = 10_000;
/** Hosts of the one-host commands, in a process of their own: as on hosts, nobody else's jobs are before theirs. */
const apart = 20;

/** One-host commands while nothing else runs, and while tasks of all other hosts do. */
export async function measureInterference(
  deps: BenchDeps,
  options: InterferenceOptions,
): Promise<InterferenceResult> {
  const { clock, say } = deps;
  const { agents, rate } = options;
  const rig = await startFleetRig(deps, { agents: agents + apart, gateways: 1 });
  const like = { mode: 'whole', behaviour: instant } as const;
  const { fleet } = await connectedFleet(deps, rig, { ...like, agents });
  fleet.standBack();
  const { fleet: hosts } = await connectedFleet(deps, rig, {
    ...like,
    agents: apart,
    from: agents,
  });
  const crowd = rig.targets.slice(0, agents);
  const after = (ms: number) => {
    const until = clock.monotonic() + ms;
    return () => clock.monotonic() >= until;
  };
  const single = { targets: rig.targets.slice(agents), rate };
  await bigTask(rig, await prepared(rigTask(rig, 'bench/interference/warm-up', crowd)));
  await singles(deps, rig, { ...single, series: 'warm-up', isOver: after(2_000) });
  say('one-host commands alone');
  const alone = await singles(deps, rig, { ...single, series: 'alone', isOver: after(aloneMs) });
  say(`one-host commands beside ${options.tasks} tasks of ${agents} hosts`);
  const { besideMs, bigMs } = await besideTasks(deps, rig, { single, crowd, count: options.tasks });
  const statuses = await Promise.all([fleet.status(), hosts.status()]);
  const startedTwice = statuses.reduce((sum, status) => sum + status.startedTwice, 0);
  const figures = { alone: figuresOf(alone), beside: figuresOf(besideMs), big: figuresOf(bigMs) };
  return {
    ...figures,
    startedTwice,
    bars: [
      atMost(`one host beside ${agents}: p99, ms`, 100, figures.beside.p99),
      exactly('jobs started twice', 0, startedTwice),
    ],
  };
}

/** One-host commands while `count` tasks of the crowd follow one another. */
async function besideTasks(
  deps: BenchDeps,
  rig: FleetRig,
  of: {
    readonly single: Pick<Series, 'targets' | 'rate'>;
    readonly crowd: FleetRig['targets'];
    readonly count: number;
  },
): Promise<{ readonly besideMs: readonly number[]; readonly bigMs: readonly number[] }> {
  // Signed before: this process would not hear the ends of one-host commands meanwhile.
  const tasks: Prepared[] = [];
  for (let task = 0; task < of.count; task += 1) {
    tasks.push(await prepared(rigTask(rig, `bench/interference/${task}`, of.crowd)));
  }
  const bigMs: number[] = [];
  let isOver = false;
  const big = async () => {
    for (const task of tasks) bigMs.push(await bigTask(rig, task));
    isOver = true;
  };
  const beside = singles(deps, rig, { ...of.single, series: 'beside', isOver: () => isOver });
  const [besideMs] = await Promise.all([beside, big()]);
  return { besideMs, bigMs };
}

type Prepared = { readonly task: BenchTask; readonly body: string };

const prepared = async (task: BenchTask): Promise<Prepared> => ({ task, body: await task.body() });

const bigTask = (rig: FleetRig, of: Prepared): Promise<number> =>
  told(rig, { ...of, from: rig.wallClock.now() });

type Series = {
  readonly series: string;
  readonly targets: FleetRig['targets'];
  /** Commands a second. */
  readonly rate: number;
  readonly isOver: () => boolean;
};

/** Open loop: a command that is due is sent, however late the ones before it are. */
async function singles(
  { clock }: BenchDeps,
  rig: FleetRig,
  of: Series,
): Promise<readonly number[]> {
  const begun = clock.monotonic();
  const begunUnix = rig.wallClock.now();
  const sent: Promise<number>[] = [];
  for (let index = 0; !of.isOver(); index += 1) {
    const due = (index * 1_000) / of.rate;
    const waitMs = begun + due - clock.monotonic();
    if (waitMs > 0) await clock.sleep(waitMs);
    const target = of.targets[index % of.targets.length];
    if (target === undefined) throw new Error('there are no agents');
    const task = rigTask(rig, `bench/single/${of.series}/${index}`, [target]);
    const one = prepared(task).then((each) => told(rig, { ...each, from: begunUnix + due }));
    one.catch(() => undefined); // Heard below, with all of them.
    sent.push(one);
  }
  return Promise.all(sent);
}

/** Milliseconds from `from` until the task's end was told. Throws unless all its hosts succeeded. */
async function told(rig: FleetRig, of: Prepared & { readonly from: number }): Promise<number> {
  const [gateway] = rig.gateways;
  const { task, body, from } = of;
  const end = rig.callbacks.endOf(task.taskId, endWithinMs);
  end.catch(() => undefined); // Heard below, unless the submit fails first.
  await gateway?.submit(task.key, body);
  const { at, report } = await end;
  requireSuccess(report, report.size);
  return at - from;
}
