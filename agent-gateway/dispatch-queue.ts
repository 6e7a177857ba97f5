import { limits } from '../contracts/limits.ts';

/** Some jobs of one task that are to be written. `createdAt` is the task's, 0 while it is not known. */
export type Slice = {
  readonly taskId: string;
  readonly createdAt: number;
  readonly agentIds: readonly string[];
};

type Waiting = { createdAt: number; readonly agentIds: Set<string> };

/**
 * Which jobs wait to be written, by task. Tasks take turns: each gives one slice and goes to the
 * end of the line. It holds a job once, however often it is added.
 */
export class DispatchQueue {
  readonly #tasks = new Map<string, Waiting>();

  /** No more tasks should be added until others were taken. */
  get isFull(): boolean {
    return this.#tasks.size >= limits.tasksWritingMax;
  }

  add(
    of: { readonly taskId: string; readonly createdAt: number },
    agentIds: readonly string[],
  ): void {
    const waiting = this.#tasks.get(of.taskId) ?? { createdAt: 0, agentIds: new Set() };
    if (of.createdAt > waiting.createdAt) waiting.createdAt = of.createdAt;
    for (const agentId of agentIds) waiting.agentIds.add(agentId);
    this.#tasks.set(of.taskId, waiting);
  }

  /** Up to `count` jobs of the first task in line that `mayGo`, which is told how many it has; null if none may. */
  take(count: number, mayGo: (taskId: string, jobs: number) => boolean): Slice | null {
    for (const [taskId, { createdAt, agentIds }] of this.#tasks) {
      if (!mayGo(taskId, agentIds.size)) continue;
      const taken: string[] = [];
      for (const agentId of agentIds) {
        if (taken.length >= count) break;
        taken.push(agentId);
        agentIds.delete(agentId);
      }
      this.#tasks.delete(taskId);
      if (agentIds.size > 0) this.#tasks.set(taskId, { createdAt, agentIds });
      return { taskId, createdAt, agentIds: taken };
    }
    return null;
  }
}
