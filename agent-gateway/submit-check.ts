import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { limits } from '../contracts/limits.ts';
import { type TaskSubmit, type TaskTarget, taskSubmit, taskTarget } from '../contracts/task.ts';
import { egressRefusal } from '../domain/egress.ts';
import { FixpointError, type Flaw } from '../domain/errors.ts';
import { taskIdOf } from '../domain/ids.ts';
import { jobWriter } from '../domain/job-bytes.ts';
import { slices } from '../domain/slices.ts';
import { canonicalParts } from '../platform/canonical-json.ts';
import { contentDigestOf, sha256 } from '../platform/digest.ts';
import { checked } from './problem.ts';

// What a dispatch frame has around its job and script.
const frameOverheadBytes = 512;
const someTargets = z.array(taskTarget);

/**
 * A submit that may be kept, or `invalid_payload` with its first flaws. A large one is checked in slices, between
 * which other tasks and pings have their turn: 20,000 targets at once would keep them all for a quarter of a second.
 */
export async function checkedSubmit(
  { key, body }: { readonly key: string; readonly body: unknown },
  egressAllow: readonly string[],
): Promise<TaskSubmit> {
  const task = await formOf(body);
  const flaws = [
    ...duplicateFlaws(task),
    ...frameFlaws(key, task),
    ...callbackFlaws(task, egressAllow),
  ];
  if (task.deadline < task.notAfter) {
    flaws.push({ field: 'deadline', fix: 'must not be before notAfter' });
  }
  if (flaws.length === 0) return task;
  throw new FixpointError('invalid_payload', 'the task has flaws', { flaws });
}

/**
 * What stands for the body of a submit: SHA-256 in hex of its canonical JSON without signatures, because the
 * signing key may be replaced between two tries (rule X1).
 */
export async function digestOfSubmit({ keyId: _, ...task }: TaskSubmit): Promise<string> {
  const targets = task.targets.map(({ signature: _, ...target }) => target);
  const hash = createHash('sha256');
  let parts = 0;
  for (const part of canonicalParts({ ...task, targets })) {
    hash.update(part);
    parts += 1;
    if (parts % limits.sliceTargetsMax === 0) await setImmediate();
  }
  return hash.digest('hex');
}

async function formOf(body: unknown): Promise<TaskSubmit> {
  const targets = targetsOf(body);
  if (targets.length <= limits.sliceTargetsMax || targets.length > limits.targetsMax) {
    return checked(taskSubmit, body);
  }
  const first = targets.slice(0, limits.sliceTargetsMax);
  const head = taskSubmit.safeParse({ ...Object(body), targets: first });
  if (!head.success) return checked(taskSubmit, body);
  const parts: TaskTarget[][] = [];
  for (const slice of slices(targets.slice(first.length), limits.sliceTargetsMax)) {
    await setImmediate();
    const part = someTargets.safeParse(slice);
    // Once more and whole: flaws are named by their places in the body.
    if (!part.success) return checked(taskSubmit, body);
    parts.push(part.data);
  }
  await setImmediate();
  return { ...head.data, targets: [head.data.targets, ...parts].flat() };
}

function targetsOf(body: unknown): readonly unknown[] {
  if (typeof body !== 'object' || body === null || !('targets' in body)) return [];
  return Array.isArray(body.targets) ? body.targets : [];
}

function duplicateFlaws(task: TaskSubmit): Flaw[] {
  const seen = new Set<string>();
  return task.targets.flatMap(({ agentId }, at) => {
    const isRepeated = seen.has(agentId);
    seen.add(agentId);
    if (!isRepeated) return [];
    return { field: `targets.${at}.agentId`, value: agentId, fix: 'is there twice' };
  });
}

/** An agent would end its link over a frame that is too large, again and again. */
function frameFlaws(key: string, task: TaskSubmit): Flaw[] {
  const jobText = jobWriter({
    ...{ taskId: taskIdOf(key, sha256), key, task },
    contentDigest: contentDigestOf(task.action.content),
  });
  const own = task.targets.flatMap((target, at) =>
    target.args || target.env || target.stdin ? [{ target, at }] : [],
  );
  const plain = task.targets.findIndex(({ args, env, stdin }) => !args && !env && !stdin);
  const first = task.targets[plain];
  const measured = first === undefined ? own : [{ target: first, at: plain }, ...own];
  const contentBytes = Buffer.byteLength(JSON.stringify(task.action.content));
  return measured.flatMap(({ target, at }) => {
    const job = JSON.stringify(jobText(target, at));
    const bytes = Buffer.byteLength(job) + contentBytes + frameOverheadBytes;
    if (bytes <= limits.frameBytes) return [];
    const fix = `arguments, environment and stdin make a job of ${bytes} bytes; ${limits.frameBytes} may be`;
    return { field: `targets.${at}`, fix };
  });
}

function callbackFlaws(task: TaskSubmit, allowed: readonly string[]): Flaw[] {
  if (task.callback === null) return [];
  const refusal = egressRefusal(new URL(task.callback.url), allowed);
  return refusal === null ? [] : [{ field: 'callback.url', ...refusal }];
}
