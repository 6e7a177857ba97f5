import type { AgentFrame } from '../contracts/frames.ts';

/**
 * Sends frames, but of the words on one job that come in one moment only the last: states go only
 * forward, so `acked` says nothing beside the `running` or the result that follows at once. An ack
 * waits for the end of the current turn of the event loop, and for no other frame.
 */
export class WordLine {
  readonly #write: (frame: AgentFrame) => void;
  /** Job id → the ack that waits. */
  readonly #waiting = new Map<string, AgentFrame>();

  constructor(write: (frame: AgentFrame) => void) {
    this.#write = write;
  }

  send(frame: AgentFrame): void {
    if (frame.type === 'ack') {
      if (this.#waiting.size === 0) setImmediate(() => this.#flush());
      this.#waiting.set(frame.jobId, frame);
      return;
    }
    if (frame.type === 'result') this.#waiting.delete(frame.jobId);
    this.#write(frame);
  }

  #flush(): void {
    const frames = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const frame of frames) this.#write(frame);
  }
}
