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
  const { action, keyId, expectReboot } = of.task;
  const { runAs } = action;
  return {
    version: runAs === undefined && expectReboot === undefined ? 1 : 2,
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
    ...(runAs === undefined ? {} : { runAs }),
    ...(expectReboot === undefined ? {} : { expectReboot }),
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

/** What differs between the jobs of one task: how it is written for a target at its position. */
type Hole = (target: TaskTarget, position: number) => string;

/**
 * `jobBytes(jobOf(…))` for each target of one task, at the price of joining strings: what the jobs
 * share is written once, and only a host's own arguments, environment and stdin are written for it.
 */
export function jobWriter(of: JobsOf): (target: TaskTarget, position: number) => string {
  const [first] = of.task.targets;
  if (first === undefined) return () => '';
  const { args: _, env: __, stdin: ___, ...plain } = first;
  const { texts, holes } = cut(jobOf({ ...of, target: plain, position: 0 }), of);
  return (target, position) => {
    let text = texts[0] ?? '';
    for (let at = 0; at < holes.length; at += 1) {
      text += `${holes[at]?.(target, position)}${texts[at + 1]}`;
    }
    return text;
  };
}

/** A job's bytes cut where the jobs of its task differ: one more text than there are holes. */
function cut(sample: Job, { task, key }: JobsOf): { texts: string[]; holes: Hole[] } {
  const common = (field: 'args' | 'env' | 'stdin') => JSON.stringify(sample[field]);
  const [args, env, stdin] = [common('args'), common('env'), common('stdin')];
  // Without its closing quote: the agent's id comes between.
  const slot = JSON.stringify(task.slot).slice(0, -1);
  const head = `{"key":${JSON.stringify(key)},"size":${task.targets.length},"position":`;
  const tail = `,"callback":${JSON.stringify(task.callback)}}`;
  const own: Readonly<Record<string, Hole>> = {
    agentId: ({ agentId }) => `"${agentId}"`,
    journalId: ({ journalId }) => `"${journalId}"`,
    slot: ({ agentId }) => `${slot}.${agentId}"`,
    args: (target) => (target.args === undefined ? args : JSON.stringify(target.args)),
    env: (target) => (target.env === undefined ? env : JSON.stringify(sorted(target.env))),
    stdin: (target) => (target.stdin === undefined ? stdin : JSON.stringify(target.stdin)),
    task: (_, position) => `${head}${position}${tail}`,
  };
  const texts = ['{'];
  const holes: Hole[] = [];
  const fields = Object.entries(sample).filter(([, value]) => value !== undefined);
  for (const [index, [field, value]] of fields.entries()) {
    const name = `${index === 0 ? '' : ','}${JSON.stringify(field)}:`;
    const hole = own[field];
    texts.push(`${texts.pop()}${name}${hole === undefined ? JSON.stringify(value) : ''}`);
    if (hole === undefined) continue;
    holes.push(hole);
    texts.push('');
  }
  texts.push(`${texts.pop()}}`);
  return { texts, holes };
}

function sorted(record: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(record).sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0)),
  );
}
