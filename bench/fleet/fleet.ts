import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../platform/clock.ts';
import { MessagePort } from '../message-port.ts';
import type { FleetAnswer, FleetMode, FleetOrder, FleetStatus } from './fleet-messages.ts';
import type { Behaviour } from './simulated-executor.ts';

export type FleetOptions = {
  readonly shards: readonly string[];
  /** Of the identities, the first that is this fleet's; 0 if it is not said. */
  readonly from?: number;
  readonly count: number;
  readonly authority: string;
  readonly trustFile: string;
  readonly gateways: readonly string[];
  readonly mode: FleetMode;
  readonly behaviour: Behaviour;
};

type Member = {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: MessagePort<FleetOrder, FleetAnswer>;
};

/** So many agents to a process at most, and two processes at least for two cores. */
const processAgentsMax = 5_000;
const fleetProcess = fileURLToPath(new URL('./fleet-process.ts', import.meta.url));
const stopWithinMs = 30_000;

/** Simulated agents in processes of their own. */
export class Fleet {
  readonly #clock: Clock;
  readonly #members: readonly Member[];

  private constructor(clock: Clock, count: number) {
    this.#clock = clock;
    this.#members = Array.from({ length: processesFor(count) }, forkMember);
  }

  /** Starts the agents of a plan; resolves when all were started, connected or not. */
  static async start(clock: Clock, of: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(clock, of.count);
    const share = Math.ceil(of.count / fleet.#members.length);
    const { count: _, ...plan } = of;
    const starts = fleet.#members.map((member, index) => {
      const count = Math.min(share, of.count - index * share);
      const from = (of.from ?? 0) + index * share;
      const localAddress = `127.0.0.${index + 2}`;
      return member.port.ask({ kind: 'start', plan: { ...plan, from, count, localAddress } });
    });
    // Heard here and by `connected`, which says what is missing.
    Promise.all(starts).catch(() => undefined);
    return fleet;
  }

  get pids(): readonly number[] {
    return this.#members.map(({ pid }) => pid);
  }

  /**
   * Whatever else runs here has the cores first: hosts have cores of their own, and take none of the
   * gateway's. Of use only where others are measured than these agents.
   */
  standBack(): void {
    for (const pid of this.pids) setPriority(pid, constants.priority.PRIORITY_LOW);
  }

  /** All processes together. */
  async status(): Promise<FleetStatus> {
    const answers = await this.#askAll({ kind: 'status' });
    const all = answers.flatMap((answer) => (answer.kind === 'status' ? [answer.status] : []));
    const sum = (of: (status: FleetStatus) => number) =>
      all.reduce((total, status) => total + of(status), 0);
    return {
      agents: sum(({ agents }) => agents),
      connected: sum(({ connected }) => connected),
      jobs: sum(({ jobs }) => jobs),
      startedTwice: sum(({ startedTwice }) => startedTwice),
      residentBytes: sum(({ residentBytes }) => residentBytes),
      cpuMs: sum(({ cpuMs }) => cpuMs),
    };
  }

  /** Waits until `count` agents are connected; throws with how many are after `withinMs`. */
  async connected(
    count: number,
    of: { readonly withinMs: number; readonly onLook?: (connected: number) => void },
  ): Promise<void> {
    const until = this.#clock.monotonic() + of.withinMs;
    for (;;) {
      const { connected } = await this.status();
      of.onLook?.(connected);
      if (connected >= count) return;
      if (this.#clock.monotonic() > until) {
        throw new Error(`${connected} of ${count} agents are connected after ${of.withinMs} ms`);
      }
      await this.#clock.sleep(100);
    }
  }

  /** When the jobs of a task started, and when their results were known to be stored. */
  async timesOf(
    taskId: string,
  ): Promise<{ readonly startedAt: readonly number[]; readonly storedAt: readonly number[] }> {
    const answers = await this.#askAll({ kind: 'stored', taskId });
    const all = answers.flatMap((answer) => (answer.kind === 'stored' ? [answer] : []));
    return {
      startedAt: all.flatMap(({ startedAt }) => startedAt),
      storedAt: all.flatMap(({ storedAt }) => storedAt),
    };
  }

  /** Ends every agent with a good-bye and then the processes. */
  async stop(): Promise<void> {
    const timer = this.#clock.after(stopWithinMs, () => this.kill());
    await this.#askAll({ kind: 'stop' }).catch(() => this.kill());
    timer.cancel();
    for (const { child } of this.#members) if (child.connected) child.disconnect();
    await Promise.all(this.#members.map(({ child }) => gone(child)));
  }

  /** Ends the processes at once. */
  kill(): void {
    for (const { child } of this.#members) child.kill('SIGKILL');
  }

  #askAll(order: FleetOrder): Promise<readonly FleetAnswer[]> {
    return Promise.all(this.#members.map(({ port }) => port.ask(order)));
  }
}

function forkMember(): Member {
  const child = fork(fleetProcess, { serialization: 'advanced' });
  if (child.pid === undefined) throw new Error('a process of the fleet could not be started');
  return { child, pid: child.pid, port: new MessagePort(child) };
}

function processesFor(count: number): number {
  return Math.max(count >= 1_000 ? 2 : 1, Math.ceil(count / processAgentsMax));
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
