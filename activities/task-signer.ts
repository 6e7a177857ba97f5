import type { TaskSubmit } from '../contracts/task.ts';
import { payloadTypes } from '../contracts/trust.ts';
import { taskIdOf } from '../domain/ids.ts';
import { jobWriter } from '../domain/job-bytes.ts';
import { contentDigestOf, sha256 } from '../platform/digest.ts';

/** Whoever signs jobs: a key in this process, or a service that holds one. */
export type TaskSigner = {
  readonly keyId: string;
  /**
   * The Ed25519 signature (base64) over DSSE's encoding of type and payload. The same payload has
   * the same signature. Must not block the event loop.
   */
  sign(of: { readonly payloadType: string; readonly payload: Uint8Array }): Promise<string>;
};

// A whole batch at once would keep the loop, and the thread pool, from everything else.
const jobsAtOnce = 64;

/**
 * The task with every job of it signed (design 5.6). A pure function of its input and the key, so
 * that a repeated try sends the same bytes (rule X1); no workflow ever sees a signature.
 */
export async function signedTask(
  signer: TaskSigner,
  of: { readonly key: string; readonly task: TaskSubmit },
): Promise<TaskSubmit> {
  const task: TaskSubmit = { ...of.task, keyId: signer.keyId };
  const jobText = jobWriter({
    taskId: taskIdOf(of.key, sha256),
    key: of.key,
    task,
    contentDigest: contentDigestOf(task.action.content),
  });
  const targets: TaskSubmit['targets'] = [];
  for (let from = 0; from < task.targets.length; from += jobsAtOnce) {
    const slice = task.targets.slice(from, from + jobsAtOnce).map(async (target, at) => {
      const payload = Buffer.from(jobText(target, from + at));
      const signature = await signer.sign({ payloadType: payloadTypes.job, payload });
      return { ...target, signature };
    });
    targets.push(...(await Promise.all(slice)));
  }
  return { ...task, targets };
}
