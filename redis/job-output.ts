import type { Redis } from 'ioredis';
import type { OutputFrame, OutputStream } from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import { partsOfJobId } from '../domain/ids.ts';
import { keys } from './keys.ts';
import { script } from './script.ts';
import { guarded } from './unavailable.ts';

const append = script('job-output');

/** `gap`: bytes of the head before the piece are missing, so it was not taken. */
export type OutputTaken =
  | { readonly kind: 'added'; readonly bytes: number }
  | { readonly kind: 'gone' | 'foreign' | 'gap' };

/** What is kept of one stream. Between the head's end and `tailFrom` there may be a gap. */
export type KeptOutput = {
  readonly head: Buffer;
  /** Byte offset of the tail's first byte. */
  readonly tailFrom: number;
  readonly tail: Buffer;
};

/**
 * Head and tail of what jobs wrote, as bytes (rule X11): at most `outputHeadBytes` a stream and
 * `outputTailBytes` of both, whatever an agent sends, for `outputKeptMs` after the last piece.
 */
export class JobOutput {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Adds a piece at its offset. A repeated piece adds nothing; what is beyond the job's limit is cut. */
  append(frame: OutputFrame): Promise<OutputTaken> {
    const parts = partsOfJobId(frame.jobId);
    if (parts === null) return Promise.resolve({ kind: 'foreign' });
    const { taskId, agentId } = parts;
    const other = frame.stream === 'stdout' ? 'stderr' : 'stdout';
    return guarded(async () => {
      const answer = await append(
        this.#redis,
        [keys.task.task(taskId), keys.task.jobs(taskId), keys.task.output({ taskId, agentId })],
        [
          ...[agentId, frame.stream, other, frame.offset, frame.data, limits.outputKeptMs],
          ...[limits.outputHeadBytes, limits.outputTailBytes],
        ],
      );
      if (answer === -1) return { kind: 'gone' };
      if (answer === -2) return { kind: 'foreign' };
      return answer === -3 ? { kind: 'gap' } : { kind: 'added', bytes: Number(answer) };
    });
  }

  /** What is kept of a stream; all of it empty for a job that wrote nothing or is not known. */
  kept(of: {
    readonly taskId: string;
    readonly agentId: string;
    readonly stream: OutputStream;
  }): Promise<KeptOutput> {
    const { stream } = of;
    return guarded(async () => {
      const [head, tail, from] = await this.#redis.hmgetBuffer(
        ...([keys.task.output(of), `${stream}:head`, `${stream}:tail`, `${stream}:from`] as const),
      );
      return {
        head: head ?? Buffer.alloc(0),
        tailFrom: Number(from ?? 0),
        tail: tail ?? Buffer.alloc(0),
      };
    });
  }
}
