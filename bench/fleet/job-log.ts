import { partsOfJobId } from '../../domain/ids.ts';
import type { WallClock } from '../wall-clock.ts';

type TaskTimes = { readonly startedAt: number[]; readonly storedAt: number[] };

/** What became of the jobs of one process's agents: how often each started, and when. */
export class JobLog {
  readonly #wallClock: WallClock;
  readonly #starts = new Map<string, number>();
  readonly #times = new Map<string, TaskTimes>();
  #startedTwice = 0;

  constructor(wallClock: WallClock) {
    this.#wallClock = wallClock;
  }

  started(jobId: string): void {
    const before = this.#starts.get(jobId) ?? 0;
    this.#starts.set(jobId, before + 1);
    if (before === 1) this.#startedTwice += 1;
    this.#of(jobId).startedAt.push(this.#wallClock.now());
  }

  /** The gateway said that the job's result is stored; only the first time counts. */
  stored(jobId: string): void {
    this.#of(jobId).storedAt.push(this.#wallClock.now());
  }

  get jobs(): number {
    return this.#starts.size;
  }

  get startedTwice(): number {
    return this.#startedTwice;
  }

  /** The times of a task, which are forgotten; the counts stay. */
  take(taskId: string): TaskTimes {
    const times = this.#times.get(taskId) ?? { startedAt: [], storedAt: [] };
    this.#times.delete(taskId);
    return times;
  }

  #of(jobId: string): TaskTimes {
    const taskId = partsOfJobId(jobId)?.taskId ?? '';
    const times = this.#times.get(taskId) ?? { startedAt: [], storedAt: [] };
    this.#times.set(taskId, times);
    return times;
  }
}
