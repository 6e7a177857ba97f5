import type { TaskSubmit, TaskTarget } from '../contracts/task.ts';
import { jobBytes, jobOf } from '../domain/job-bytes.ts';
import { contentDigestOf } from '../platform/digest.ts';

/** A task's body, ready to be cut into jobs. */
type Prepared = {
  readonly task: TaskSubmit;
  readonly contentDigest: string;
  readonly targets: ReadonlyMap<string, TaskTarget>;
};

const keptMax = 64;

/**
 * The bodies of open tasks, read once for all of their hosts: a body of 20,000 targets is parsed
 * once, not 20,000 times. The same task always gives the same bytes (design 5.6).
 */
export class TaskBodies {
  readonly #read: (taskId: string) => Promise<TaskSubmit | null>;
  readonly #kept = new Map<string, Promise<Prepared | null>>();

  constructor(read: (taskId: string) => Promise<TaskSubmit | null>) {
    this.#read = read;
  }

  /** The job's bytes and the script, or null if the task is over or has no such host. */
  async jobText(
    taskId: string,
    agentId: string,
  ): Promise<{ readonly job: string; readonly content: string } | null> {
    const prepared = await this.#prepared(taskId);
    const target = prepared?.targets.get(agentId);
    if (!prepared || !target) return null;
    const { task, contentDigest } = prepared;
    return {
      job: jobBytes(jobOf({ taskId, task, target, contentDigest })),
      content: task.action.content,
    };
  }

  #prepared(taskId: string): Promise<Prepared | null> {
    const known = this.#kept.get(taskId);
    if (known !== undefined) return known;
    const reading = this.#read(taskId).then((task) => (task === null ? null : preparedOf(task)));
    this.#kept.set(taskId, reading);
    // What failed or was not there is asked for again.
    const forget = () => this.#kept.delete(taskId);
    reading.then((prepared) => prepared === null && forget(), forget);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > keptMax && oldest !== undefined) this.#kept.delete(oldest);
    return reading;
  }
}

const preparedOf = (task: TaskSubmit): Prepared => ({
  task,
  contentDigest: contentDigestOf(task.action.content),
  targets: new Map(task.targets.map((target) => [target.agentId, target])),
});
