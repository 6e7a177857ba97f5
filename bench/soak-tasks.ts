import type { Clock } from '../platform/clock.ts';
import type { BenchGateway } from './bench-gateway.ts';
import type { FleetRig, Target } from './fleet-rig.ts';
import { rigTask } from './fleet-task.ts';

export type SoakTasksDeps = {
  readonly rig: FleetRig;
  readonly gateway: BenchGateway;
  readonly clock: Clock;
  /** Tasks a second, and hosts of each. */
  readonly rate: number;
  readonly hosts: number;
};

const endWithinMs = 120_000;

/** Tasks at a steady rate, each of some hosts in turn, and what became of them. */
export class SoakTasks {
  readonly #deps: SoakTasksDeps;
  #submitted = 0;
  #answered = 0;
  /** Answers 503: handed in again. */
  #refused = 0;
  #wrong = 0;
  #open = 0;

  constructor(deps: SoakTasksDeps) {
    this.#deps = deps;
  }

  count(): {
    readonly submitted: number;
    readonly answered: number;
    readonly refused: number;
    readonly wrong: number;
  } {
    return {
      ...{ submitted: this.#submitted, answered: this.#answered },
      ...{ refused: this.#refused, wrong: this.#wrong },
    };
  }

  /** Hands in tasks until then (monotonic milliseconds), whatever becomes of the ones before. */
  async submitUntil(endsAt: number): Promise<void> {
    const { clock, rate } = this.#deps;
    const begun = clock.monotonic();
    for (let index = 0; ; index += 1) {
      const due = begun + (index * 1_000) / rate;
      if (due >= endsAt) return;
      const waitMs = due - clock.monotonic();
      if (waitMs > 0) await clock.sleep(waitMs);
      void this.#one(index);
    }
  }

  /** Waits until every task was answered or given up, at most `withinMs`. */
  async drained(withinMs: number): Promise<void> {
    const { clock } = this.#deps;
    const until = clock.monotonic() + withinMs;
    while (this.#open > 0 && clock.monotonic() < until) await clock.sleep(100);
  }

  /** Never rejects: what goes wrong is counted. */
  async #one(index: number): Promise<void> {
    const { rig, gateway } = this.#deps;
    const task = rigTask(rig, `bench/soak/${index}`, this.#targets(index));
    this.#open += 1;
    this.#submitted += 1;
    const end = rig.callbacks.endOf(task.taskId, endWithinMs);
    end.catch(() => undefined); // Heard below, unless the submit fails first.
    try {
      this.#refused += await gateway.submit(task.key, await task.body());
      const { report } = await end;
      this.#answered += 1;
      const { letters } = report;
      if (letters.length !== this.#deps.hosts || /[^sf]/.test(letters)) this.#wrong += 1;
    } catch {
      // Not taken, or not told in time: the difference of submitted and answered says so.
    }
    this.#open -= 1;
  }

  #targets(index: number): readonly Target[] {
    const { rig, hosts } = this.#deps;
    return Array.from({ length: hosts }, (_, at) => {
      const target = rig.targets[(index * hosts + at) % rig.targets.length];
      if (target === undefined) throw new Error('there are no agents');
      return target;
    });
  }
}
