import type { Job, TaskSubmit, TaskTarget } from '../contracts/task.ts';

/** What all jobs of one task have in common. `contentDigest` is that of the action's content. */
export type JobsOf = {
  readonly taskId: string;
  /** The task's idempotency key. */
  readonly key: string;
  readonly task: TaskSubmit;
  readonly contentDigest: string;
};

/** The job that a task means for `target`, which is the submit's target at `position`. */
export function jobOf(
  of: JobsOf & { readonly target: TaskTarget; readonly position: number },
): Job {
  const { action, keyId } = of.task;
  return {
    version: 1,
    taskId: of.taskId,
    agentId: of.target.agentId,
    journalId: of.target.journalId,
    slot: `${of.task.slot}.${of.target.agentId}`,
    attempt: of.task.attempt,
    action: action.kind,
    contentDigest: of.contentDigest,
    interpreter: action.interpreter,
    args: of.target.args ?? action.args,
    env: sorted(of.target.env ?? action.env),
    secretEnv: sorted(action.secretEnv),
    stdin: of.target.stdin ?? action.stdin,
    cwd: action.cwd,
    limits: { timeoutMs: of.task.limits.timeoutMs, outputBytes: of.task.limits.outputBytes },
    notAfter: of.task.notAfter,
    task: {
      key: of.key,
      size: of.task.targets.length,
      position: of.position,
      callback: of.task.callback,
    },
    ...(keyId === undefined ? {} : { keyId }),
  };
}

/**
 * The exact bytes of a job as text (design 5.6). Fields in `jobOf`'s order and maps sorted, so
 * that whoever derives the same job derives the same bytes, on every try and in every process.
 */
export const jobBytes = (job: Job): string => JSON.stringify(job);

/**
 * `jobBytes(jobOf(…))` for each target of one task, at the price of joining strings: what the jobs
 * share is written once, and only a host's own arguments, environment and stdin are written for it.
 */
export function jobWriter(of: JobsOf): (target: TaskTarget, position: number) => string {
  const [first] = of.task.targets;
  if (first === undefined) return () => '';
  const { args, env, stdin, ...plain } = first;
  const sample = jobOf({ ...of, target: plain, position: 0 });
  const shared = Object.entries(sample).map(
    ([field, value]) => [field, JSON.stringify(value)] as const,
  );
  // Without its closing quote: the agent's id comes between.
  const slot = JSON.stringify(of.task.slot).slice(0, -1);
  const callback = JSON.stringify(of.task.callback);
  const task = `{"key":${JSON.stringify(of.key)},"size":${of.task.targets.length},"position":`;
  return (target, position) => {
    const own: Readonly<Record<string, string | undefined>> = {
      agentId: `"${target.agentId}"`,
      journalId: `"${target.journalId}"`,
      slot: `${slot}.${target.agentId}"`,
      args: target.args && JSON.stringify(target.args),
      env: target.env && JSON.stringify(sorted(target.env)),
      stdin: target.stdin && JSON.stringify(target.stdin),
      task: `${task}${position},"callback":${callback}}`,
    };
    const fields = shared.map(([field, common]) => `"${field}":${own[field] ?? common}`);
    return `{${fields.join(',')}}`;
  };
}

function sorted(record: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(record).sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0)),
  );
}
