import type { AgentFrame } from '../contracts/frames.ts';
import type { Clock } from '../platform/clock.ts';

/** A person does not see it, and a script that is over at once is over by then. */
const holdMs = 50;

/**
 * Sends frames, but of the words on one job that come in one moment only the last: states go only
 * forward, so `acked` says nothing beside the `running` or the result that follows at once. An ack
 * waits for up to 50 ms, and for no other frame.
 */
export class WordLine {
  readonly #clock: Clock;
  readonly #write: (frame: AgentFrame) => void;
  /** Job id → the ack that waits. */
  readonly #waiting = new Map<string, AgentFrame>();

  constructor(clock: Clock, write: (frame: AgentFrame) => void) {
    this.#clock = clock;
    this.#write = write;
  }

  send(frame: AgentFrame): void {
    if (frame.type === 'ack') {
      if (this.#waiting.size === 0) this.#clock.after(holdMs, () => this.#nextTurn());
      this.#waiting.set(frame.jobId, frame);
      return;
    }
    if (frame.type === 'result') this.#waiting.delete(frame.jobId);
    this.#write(frame);
  }

  /** What a busy event loop has come to late, as the end of a job, comes before what waits. */
  #nextTurn(): void {
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    const frames = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const frame of frames) this.#write(frame);
  }
}
