import { atMost, type Bar, exactly } from './bars.ts';
import type { BenchGateway } from './bench-gateway.ts';
import { connectedFleet } from './connected-fleet.ts';
import { measureBareEcho } from './echo/bare-echo.ts';
import { rounded } from './figures.ts';
import type { Fleet } from './fleet/fleet.ts';
import { type BenchDeps, type FleetRig, startFleetRig } from './fleet-rig.ts';
import { rigTask } from './fleet-task.ts';

export type ReconnectOptions = { readonly agents: number; readonly gateways: number };

/** Milliseconds from the kill, unless it says otherwise. */
export type ReconnectResult = {
  readonly agents: number;
  readonly gateways: number;
  /** Agents that lost their link. */
  readonly lost: number;
  readonly half: number;
  readonly most: number;
  readonly all: number;
  /** The task's last result was told. */
  readonly told: number;
  /** The same number of bare links with the same certificates, opened on a server that is there. */
  readonly bareMs: number;
  readonly loopDelayMaxMs: number;
  readonly letters: Readonly<Record<string, number>>;
  readonly jobs: number;
  readonly startedTwice: number;
  readonly bars: readonly Bar[];
};

const jobMs = 3_000;
const backWithinMs = 180_000;
const lookMs = 100;

/**
 * Kills a gateway in the middle of a task of all hosts and waits until every agent is back and every
 * result is in. A single gateway is started again at once; of several the others take its agents.
 */
export async function measureReconnect(
  deps: BenchDeps,
  options: ReconnectOptions,
): Promise<ReconnectResult> {
  const { clock, say } = deps;
  const rig = await startFleetRig(deps, options);
  say(`bare links: ${options.agents}`);
  const bare = await measureBareEcho({ files: rig.files, links: options.agents, rounds: 1 });
  const behaviour = { seed: 1, durationMs: jobMs, failureRate: 0, exitCode: 0 };
  say(`${options.agents} agents on ${options.gateways} gateways`);
  const { fleet } = await connectedFleet(deps, rig, { ...options, mode: 'whole', behaviour });
  const { task, end } = await beginTask(rig);
  await clock.sleep(jobMs / 2);
  const killedAt = { mono: clock.monotonic(), unix: rig.wallClock.now() };
  await victimOf(rig).end('SIGKILL');
  say('killed a gateway in mid-task');
  const survivor = options.gateways === 1 ? rig.restart(0) : Promise.resolve(rig.gateways.at(-1));
  const back = await allBack(deps, { fleet, agents: options.agents, since: killedAt.mono });
  const { at, report } = await end;
  const status = await fleet.status();
  const figures = await (await survivor)?.ask({ kind: 'figures' });
  const letters: Record<string, number> = {};
  for (const letter of report.letters) letters[letter] = (letters[letter] ?? 0) + 1;
  say(`task ${task.taskId} has ended`);
  const measured = {
    ...options,
    ...back,
    told: rounded(at - killedAt.unix),
    bareMs: bare.connectMs,
    loopDelayMaxMs: rounded(figures?.loopDelayMaxMs ?? Number.NaN),
    letters,
    jobs: status.jobs,
    startedTwice: status.startedTwice,
  };
  return { ...measured, bars: barsOf(measured) };
}

/** A task of all hosts, handed to the gateway that is going to die. */
async function beginTask(rig: FleetRig) {
  const task = rigTask(rig, 'bench/reconnect/1', rig.targets);
  const end = rig.callbacks.endOf(task.taskId, backWithinMs);
  end.catch(() => undefined); // Heard when it is awaited, after the agents are back.
  await victimOf(rig).submit(task.key, await task.body());
  return { task, end };
}

async function allBack(
  { clock }: BenchDeps,
  of: { readonly fleet: Fleet; readonly agents: number; readonly since: number },
): Promise<Pick<ReconnectResult, 'lost' | 'half' | 'most' | 'all'>> {
  const { fleet, agents, since } = of;
  let least = agents;
  const seen: { readonly ms: number; readonly connected: number }[] = [];
  for (;;) {
    const { connected } = await fleet.status();
    const ms = clock.monotonic() - since;
    least = Math.min(least, connected);
    seen.push({ ms, connected });
    if (least < agents && connected === agents) break;
    if (ms > backWithinMs)
      throw new Error(`${connected} of ${agents} agents are back after ${ms} ms`);
    await clock.sleep(lookMs);
  }
  const lost = agents - least;
  const low = seen.findIndex(({ connected }) => connected === least);
  const reached = (share: number): number => {
    const wanted = least + Math.ceil(share * lost);
    return rounded(seen.slice(low).find(({ connected }) => connected >= wanted)?.ms ?? Number.NaN);
  };
  return { lost, half: reached(0.5), most: reached(0.99), all: reached(1) };
}

function victimOf({ gateways }: FleetRig): BenchGateway {
  const [victim] = gateways;
  if (victim === undefined) throw new Error('there is no gateway');
  return victim;
}

const barsOf = (of: Omit<ReconnectResult, 'bars'>): readonly Bar[] => [
  atMost(`${of.agents} agents: all back after a kill, s`, 60, rounded(of.all / 1_000)),
  exactly('hosts whose job succeeded', of.agents, of.letters['s'] ?? 0),
  exactly('jobs started', of.agents, of.jobs),
  exactly('jobs started twice', 0, of.startedTwice),
];
