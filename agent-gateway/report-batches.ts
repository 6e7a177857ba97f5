import { limits } from '../contracts/limits.ts';
import type { JobReport } from '../contracts/task.ts';

export type Reported = 'applied' | 'late' | 'foreign' | 'gone' | 'replaced';

type SessionReport = {
  readonly agentId: string;
  readonly report: JobReport;
  /** Empty for what no session says. */
  readonly sessionId: string;
};

export type ReportStore = (of: {
  readonly taskId: string;
  readonly reports: readonly SessionReport[];
}) => Promise<readonly Reported[]>;

type Waiting = SessionReport & {
  readonly settle: (word: Reported) => void;
  readonly fail: (error: unknown) => void;
};

/**
 * Gathers reports of one task and stores them in one step: those of one moment, or all that came
 * while the step before was under way. So a lone report waits for nobody, not even for the answers
 * to another task in the same turn of the event loop, and ten thousand cost some fifty steps. One step of a task at a time keeps the order of a job's reports.
 */
export class ReportBatches {
  readonly #store: ReportStore;
  /** By task; there is an entry while a step is under way or about to be. */
  readonly #tasks = new Map<string, Waiting[]>();

  constructor(store: ReportStore) {
    this.#store = store;
  }

  /** Resolves with what became of it; rejects when the whole step failed and may be tried again. */
  add(taskId: string, report: SessionReport): Promise<Reported> {
    return new Promise((settle, fail) => {
      const waiting = this.#tasks.get(taskId);
      const entry = { ...report, settle, fail };
      if (waiting !== undefined) {
        waiting.push(entry);
        return;
      }
      this.#tasks.set(taskId, [entry]);
      queueMicrotask(() => void this.#run(taskId));
    });
  }

  /** Never rejects. */
  async #run(taskId: string): Promise<void> {
    for (;;) {
      const batch = this.#tasks.get(taskId)?.splice(0, limits.sliceJobsMax) ?? [];
      if (batch.length === 0) break;
      await this.#step(taskId, batch);
    }
    this.#tasks.delete(taskId);
  }

  async #step(taskId: string, batch: readonly Waiting[]): Promise<void> {
    try {
      const words = await this.#store({ taskId, reports: batch });
      for (const [at, { settle }] of batch.entries()) settle(words[at] ?? 'foreign');
    } catch (error) {
      for (const { fail } of batch) fail(error);
    }
  }
}
