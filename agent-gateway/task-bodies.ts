import { limits } from '../contracts/limits.ts';
import type { TaskSubmit, TaskTarget } from '../contracts/task.ts';
import { jobIdOf } from '../domain/ids.ts';
import { jobWriter } from '../domain/job-bytes.ts';
import { policyOfTask } from '../domain/stop-scope.ts';
import { contentDigestOf } from '../platform/digest.ts';

type Have = { readonly stdout: number; readonly stderr: number };

/** A task's body, ready to be cut into jobs. */
export type TaskBody = {
  /** In the order of the submit. */
  readonly agentIds: readonly string[];
  /** Whose repair it is a part of; null of a task that is no policy's. */
  readonly policy: string | null;
  /** The dispatch frame for one host, null if the task has no such host. */
  readonly dispatchText: (agentId: string, have: Have) => string | null;
};

type Stored = { readonly key: string; readonly task: TaskSubmit };

type Positioned = { readonly target: TaskTarget; readonly position: number };

type Kept = {
  readonly body: Promise<TaskBody | null>;
  /** 0 while it is being read. */
  bytes: number;
};

// A target in memory beside its texts: about what its ids and its place in a map take.
const targetBytes = 300;

/**
 * The bodies of open tasks, read once for all of their hosts: a body of 20,000 targets is parsed
 * once, not 20,000 times. The same task always gives the same bytes (design 5.6). What is beyond
 * `taskBodiesBytes` goes, that which was used longest ago first, and is read again when needed.
 */
export class TaskBodies {
  readonly #read: (taskId: string) => Promise<Stored | null>;
  /** Last used last. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(read: (taskId: string) => Promise<Stored | null>) {
    this.#read = read;
  }

  /** The body, or null if the task is over or was never there. */
  body(taskId: string): Promise<TaskBody | null> {
    const known = this.#kept.get(taskId);
    if (known === undefined) return this.#reading(taskId);
    this.#kept.delete(taskId);
    this.#kept.set(taskId, known);
    return known.body;
  }

  /** Takes the body of a task that has just been kept: it need not be read, nor can it be an older one. */
  put(of: Stored & { readonly taskId: string }): void {
    this.#forget(of.taskId);
    const kept = { body: Promise.resolve(bodyOf(of)), bytes: 0 };
    this.#kept.set(of.taskId, kept);
    this.#weigh(of.taskId, kept, bytesOf(of.task));
  }

  /** Forgets the others, which are over; one that is not is read again. */
  keepOnly(taskIds: ReadonlySet<string>): void {
    for (const taskId of this.#kept.keys()) if (!taskIds.has(taskId)) this.#forget(taskId);
  }

  #reading(taskId: string): Promise<TaskBody | null> {
    let bytes = 0;
    const body = this.#read(taskId).then((stored) => {
      if (stored === null) return null;
      bytes = bytesOf(stored.task);
      return bodyOf({ taskId, ...stored });
    });
    const kept = { body, bytes: 0 };
    this.#kept.set(taskId, kept);
    // What failed or was not there is asked for again.
    const forget = () => {
      if (this.#kept.get(taskId) === kept) this.#forget(taskId);
    };
    body.then((there) => {
      if (there === null) forget();
      else this.#weigh(taskId, kept, bytes);
    }, forget);
    return body;
  }

  #weigh(taskId: string, kept: Kept, bytes: number): void {
    if (this.#kept.get(taskId) !== kept) return;
    kept.bytes = bytes;
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= limits.taskBodiesBytes) return;
      this.#forget(oldest);
    }
  }

  #forget(taskId: string): void {
    this.#bytes -= this.#kept.get(taskId)?.bytes ?? 0;
    this.#kept.delete(taskId);
  }
}

/** About what a body takes in memory: its script, also as JSON, and the texts of each target. */
function bytesOf({ action, targets }: TaskSubmit): number {
  let bytes = action.content.length + JSON.stringify(action).length;
  for (const { args = [], env = {}, stdin } of targets) {
    bytes += targetBytes + (stdin === undefined ? 0 : JSON.stringify(stdin).length);
    for (const text of args) bytes += text.length;
    for (const [name, text] of Object.entries(env)) bytes += name.length + text.length;
  }
  return bytes;
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
    policy: policyOfTask(of.key),
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
