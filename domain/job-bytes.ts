import type { Job, TaskSubmit, TaskTarget } from '../contracts/task.ts';

/** The job that `task` means for `target`. `contentDigest` is that of the action's content. */
export function jobOf(of: {
  readonly taskId: string;
  readonly task: TaskSubmit;
  readonly target: TaskTarget;
  readonly contentDigest: string;
}): Job {
  const { action } = of.task;
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
    task: { size: of.task.targets.length, callback: of.task.callback },
  };
}

/**
 * The exact bytes of a job as text (design 5.6). Fields in `jobOf`'s order and maps sorted, so
 * that whoever derives the same job derives the same bytes, on every try and in every process.
 */
export const jobBytes = (job: Job): string => JSON.stringify(job);

function sorted(record: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(record).sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0)),
  );
}
