import type { TaskSubmit, TaskTarget } from '../contracts/task.ts';
import { jobIdOf } from '../domain/ids.ts';
import { jobWriter } from '../domain/job-bytes.ts';
import { contentDigestOf } from '../platform/digest.ts';

type Have = { readonly stdout: number; readonly stderr: number };

/** A task's body, ready to be cut into jobs. */
export type TaskBody = {
  /** In the order of the submit. */
  readonly agentIds: readonly string[];
  /** The dispatch frame for one host, null if the task has no such host. */
  readonly dispatchText: (agentId: string, have: Have) => string | null;
};

type Stored = { readonly key: string; readonly task: TaskSubmit };

type Positioned = { readonly target: TaskTarget; readonly position: number };

const keptMax = 64;

/**
 * The bodies of open tasks, read once for all of their hosts: a body of 20,000 targets is parsed
 * once, not 20,000 times. The same task always gives the same bytes (design 5.6).
 */
export class TaskBodies {
  readonly #read: (taskId: string) => Promise<Stored | null>;
  readonly #kept = new Map<string, Promise<TaskBody | null>>();

  constructor(read: (taskId: string) => Promise<Stored | null>) {
    this.#read = read;
  }

  /** The body, or null if the task is over or was never there. */
  body(taskId: string): Promise<TaskBody | null> {
    const known = this.#kept.get(taskId);
    if (known !== undefined) return known;
    const reading = this.#read(taskId).then((stored) =>
      stored === null ? null : bodyOf({ taskId, ...stored }),
    );
    this.#keep(taskId, reading);
    // What failed or was not there is asked for again.
    const forget = () => {
      if (this.#kept.get(taskId) === reading) this.#kept.delete(taskId);
    };
    reading.then((body) => body === null && forget(), forget);
    return reading;
  }

  /** Takes the body of a task that has just been kept: it need not be read, nor can it be an older one. */
  put(of: Stored & { readonly taskId: string }): void {
    this.#kept.delete(of.taskId);
    this.#keep(of.taskId, Promise.resolve(bodyOf(of)));
  }

  #keep(taskId: string, body: Promise<TaskBody | null>): void {
    this.#kept.set(taskId, body);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > keptMax && oldest !== undefined) this.#kept.delete(oldest);
  }
}

/** Signed by the submitter or not: the gateway changes nothing. */
function bodyOf(of: Stored & { readonly taskId: string }): TaskBody {
  const { content } = of.task.action;
  const jobText = jobWriter({ ...of, contentDigest: contentDigestOf(content) });
  // Made JSON once for all hosts: it is by far the longest part of a frame.
  const end = `,"content":${JSON.stringify(content)},"have":`;
  const targets = new Map<string, Positioned>(
    of.task.targets.map((target, position) => [target.agentId, { target, position }]),
  );
  return {
    agentIds: [...targets.keys()],
    dispatchText(agentId, { stdout, stderr }) {
      const found = targets.get(agentId);
      if (found === undefined) return null;
      const { signature } = found.target;
      const job = JSON.stringify(jobText(found.target, found.position));
      const signed = signature === undefined ? '' : `,"signature":"${signature}"`;
      const start = `{"type":"dispatch","jobId":"${jobIdOf(of.taskId, agentId)}","job":${job}`;
      return `${start}${signed}${end}{"stdout":${stdout},"stderr":${stderr}}}`;
    },
  };
}
