import type { TaskSubmit, TaskTarget } from '../contracts/task.ts';
import { jobWriter } from '../domain/job-bytes.ts';
import { contentDigestOf } from '../platform/digest.ts';

/** A task's body, ready to be cut into jobs. */
type Prepared = {
  readonly content: string;
  readonly jobText: (target: TaskTarget, position: number) => string;
  readonly targets: ReadonlyMap<string, { readonly target: TaskTarget; readonly position: number }>;
};

/** A job as a dispatch carries it. Signed by the submitter or not: the gateway changes nothing. */
type JobText = {
  readonly job: string;
  readonly signature?: string;
  readonly content: string;
};

const keptMax = 64;

/**
 * The bodies of open tasks, read once for all of their hosts: a body of 20,000 targets is parsed
 * once, not 20,000 times. The same task always gives the same bytes (design 5.6).
 */
export class TaskBodies {
  readonly #read: (
    taskId: string,
  ) => Promise<{ readonly key: string; readonly task: TaskSubmit } | null>;
  readonly #kept = new Map<string, Promise<Prepared | null>>();

  constructor(
    read: (taskId: string) => Promise<{ readonly key: string; readonly task: TaskSubmit } | null>,
  ) {
    this.#read = read;
  }

  /** The job's bytes and the script, or null if the task is over or has no such host. */
  async jobText(taskId: string, agentId: string): Promise<JobText | null> {
    const prepared = await this.#prepared(taskId);
    const found = prepared?.targets.get(agentId);
    if (!prepared || !found) return null;
    const { signature } = found.target;
    return {
      job: prepared.jobText(found.target, found.position),
      ...(signature === undefined ? {} : { signature }),
      content: prepared.content,
    };
  }

  #prepared(taskId: string): Promise<Prepared | null> {
    const known = this.#kept.get(taskId);
    if (known !== undefined) return known;
    const reading = this.#read(taskId).then((body) =>
      body === null ? null : preparedOf({ taskId, ...body }),
    );
    this.#kept.set(taskId, reading);
    // What failed or was not there is asked for again.
    const forget = () => this.#kept.delete(taskId);
    reading.then((prepared) => prepared === null && forget(), forget);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > keptMax && oldest !== undefined) this.#kept.delete(oldest);
    return reading;
  }
}

function preparedOf(of: {
  readonly taskId: string;
  readonly key: string;
  readonly task: TaskSubmit;
}): Prepared {
  const { content } = of.task.action;
  return {
    content,
    jobText: jobWriter({ ...of, contentDigest: contentDigestOf(content) }),
    targets: new Map(
      of.task.targets.map((target, position) => [target.agentId, { target, position }]),
    ),
  };
}
