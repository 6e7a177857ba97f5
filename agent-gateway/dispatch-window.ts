import { limits } from '../contracts/limits.ts';
import type { Clock } from '../platform/clock.ts';

/**
 * Jobs that were written and of which their agents have said nothing yet. Ten thousand answers at
 * once would keep the event loop from one host's command for a second; of a window's worth it is
 * free again within some 50 ms. A job of which nothing is heard for `unheardMs` leaves, so that
 * agents that are slow, deaf or gone hold nobody up.
 */
export class DispatchWindow {
  readonly #clock: Clock;
  readonly #onRoom: () => void;
  readonly #jobsMax: number;
  /** Jobs by task; a task with none has no entry. */
  readonly #tasks = new Map<string, number>();
  #jobs = 0;

  /** `onRoom` is called whenever a task may have been given room. */
  constructor(of: {
    readonly clock: Clock;
    readonly onRoom: () => void;
    readonly jobsMax?: number;
  }) {
    this.#clock = of.clock;
    this.#jobsMax = of.jobsMax ?? limits.unheardJobsMax;
    this.#onRoom = of.onRoom;
  }

  /** A task of which nothing waits always has room, so a small one never waits for a large one. */
  hasRoom(taskId: string): boolean {
    return this.#jobs < this.#jobsMax || !this.#tasks.has(taskId);
  }

  /** Takes in jobs that are about to be written; returns what to call once for each that is heard of. */
  open(taskId: string, jobs: number): () => void {
    let left = jobs;
    const leave = (count: number) => {
      if (count === 0) return;
      left -= count;
      this.#add(taskId, -count);
      this.#onRoom();
    };
    this.#add(taskId, jobs);
    const timer = this.#clock.after(limits.unheardMs, () => leave(left));
    return () => {
      if (left === 0) return;
      if (left === 1) timer.cancel();
      leave(1);
    };
  }

  #add(taskId: string, jobs: number): void {
    this.#jobs += jobs;
    const ofTask = (this.#tasks.get(taskId) ?? 0) + jobs;
    if (ofTask > 0) this.#tasks.set(taskId, ofTask);
    else this.#tasks.delete(taskId);
  }
}
