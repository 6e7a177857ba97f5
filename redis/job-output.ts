import type { Redis } from 'ioredis';
import type { OutputFrame, OutputStream } from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import { partsOfJobId } from '../domain/ids.ts';
import { keys } from './keys.ts';
import { script } from './script.ts';
import { guarded } from './unavailable.ts';

const append = script('job-output');

/** `gap`: bytes before the piece are missing, so it was not taken. */
export type OutputTaken =
  | { readonly kind: 'added'; readonly bytes: number }
  | { readonly kind: 'gone' | 'foreign' | 'gap' };

type Which = {
  readonly taskId: string;
  readonly agentId: string;
  readonly stream: OutputStream;
};

/** What jobs wrote, as bytes, kept whole up to the job's limit (both streams together). */
export class JobOutput {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Adds a piece at its offset. A repeated piece adds nothing; what is beyond the limit is cut. */
  append(frame: OutputFrame): Promise<OutputTaken> {
    const parts = partsOfJobId(frame.jobId);
    if (parts === null) return Promise.resolve({ kind: 'foreign' });
    const { taskId, agentId } = parts;
    const other = frame.stream === 'stdout' ? 'stderr' : 'stdout';
    return guarded(async () => {
      const answer = await append(
        this.#redis,
        [
          keys.task.task(taskId),
          keys.task.jobs(taskId),
          keys.task.output({ taskId, agentId, stream: frame.stream }),
          keys.task.output({ taskId, agentId, stream: other }),
        ],
        [agentId, frame.offset, frame.data, limits.taskKeptMs],
      );
      if (answer === -1) return { kind: 'gone' };
      if (answer === -2) return { kind: 'foreign' };
      return answer === -3 ? { kind: 'gap' } : { kind: 'added', bytes: Number(answer) };
    });
  }

  /** Bytes `[start, end)`, fewer at the end of what is there, and how many there are in all. */
  read(
    of: Which & { readonly start: number; readonly end: number },
  ): Promise<{ readonly bytes: Buffer; readonly total: number }> {
    const key = keys.task.output(of);
    return guarded(async () => {
      const [total, bytes] = await Promise.all([
        this.#redis.strlen(key),
        of.end > of.start ? this.#redis.getrangeBuffer(key, of.start, of.end - 1) : Buffer.alloc(0),
      ]);
      return { bytes, total };
    });
  }
}
