import type { OutputStream } from '../contracts/frames.ts';
import { isFinal } from '../domain/job.ts';
import type { JobOutput } from '../redis/job-output.ts';
import { spanOf, utf8Window } from './utf8-window.ts';

type Asked = {
  readonly taskId: string;
  readonly agentId: string;
  readonly stream: OutputStream;
  /** Both in bytes. */
  readonly offset: number;
  readonly limit: number;
};

/** A piece of output as text; `offset` and `next` are byte offsets at the edge of a character. */
export type OutputText = {
  readonly stream: OutputStream;
  readonly offset: number;
  readonly next: number;
  /** Bytes there are now. */
  readonly total: number;
  /** Nothing will follow `next`. */
  readonly finished: boolean;
  readonly text: string;
};

/** Reads what jobs wrote. Answers end where the output ends; asking beyond it gives nothing. */
export class OutputReader {
  readonly #output: JobOutput;

  constructor(output: JobOutput) {
    this.#output = output;
  }

  /** The bytes as they are. */
  async bytes({ offset, limit, ...which }: Asked): Promise<Buffer> {
    const read = await this.#output.read({ ...which, start: offset, end: offset + limit });
    return read.bytes;
  }

  /**
   * The bytes as text, never cut inside a character: following `next` gives every byte once.
   * `state` is the job's.
   */
  async text(
    { offset, limit, ...which }: Asked,
    state: Parameters<typeof isFinal>[0],
  ): Promise<OutputText> {
    const span = spanOf(offset, limit);
    const { bytes, total } = await this.#output.read({ ...which, ...span });
    const isOver = isFinal(state);
    const window = utf8Window({ bytes, from: span.start, offset, limit, isEnd: isOver });
    return {
      stream: which.stream,
      offset: window.start,
      next: window.end,
      total,
      finished: isOver && window.end >= total,
      text: window.text,
    };
  }
}
