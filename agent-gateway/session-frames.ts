import type { WebSocket } from 'ws';
import {
  type AgentFrame,
  decodeOutput,
  decodeOutputAnswer,
  isOutputAnswer,
  type OutputAnswer,
  type OutputFrame,
} from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import type { Clock } from '../platform/clock.ts';
import { readAgentFrame } from './agent-frame-reader.ts';
import type { FrameBacklog } from './frame-backlog.ts';

/** What is handled in the order of arrival, one after the other. */
export type OrderedFrame =
  | { readonly kind: 'output'; readonly frame: OutputFrame }
  | { readonly kind: 'ack'; readonly frame: Extract<AgentFrame, { type: 'ack' }> }
  | { readonly kind: 'result'; readonly frame: Extract<AgentFrame, { type: 'result' }> }
  | { readonly kind: 'text'; readonly frame: Extract<AgentFrame, { type: 'job-text' }> };

export type Ping = Extract<AgentFrame, { type: 'ping' }>;

export type SessionFramesDeps = {
  readonly socket: WebSocket;
  readonly clock: Clock;
  /** What waits of all sessions together. */
  readonly backlog: FrameBacklog;
  /** False once a newer session of the agent took over. */
  readonly isCurrent: () => boolean;
  /** Answers at once, whatever else waits: a start lease depends on it (rule R10). */
  readonly onPing: (ping: Ping) => void;
  /** Takes an answer to a question, at once; false if nothing of the kind was asked. */
  readonly onAnswer: (answer: OutputAnswer) => boolean;
  /** May reject when it should be tried again. */
  readonly onFrame: (frame: OrderedFrame) => Promise<void>;
  readonly onBadFrame: () => void;
  readonly onRetry: (error: unknown) => void;
};

const retryMs = 500;

/**
 * Takes the frames of one session. Output, acks, results and texts of jobs are handled strictly in order, because
 * a result is stored only after the output before it, and each until it succeeds or the link is
 * closed: then the agent sends again what it was not told to be stored. What waits when a newer
 * session takes over is dropped, because that session is given the same jobs: a refusal left behind
 * by the older one must not end a job that the newer one started. An ack that the next word on its job
 * has overtaken is dropped: states only go forward. Reading pauses while too much waits.
 */
export class SessionFrames {
  readonly #deps: SessionFramesDeps;
  readonly #waiting: { readonly frame: OrderedFrame; readonly bytes: number }[] = [];
  #waitingBytes = 0;
  #isWorking = false;

  constructor(deps: SessionFramesDeps) {
    this.#deps = deps;
    deps.socket.on('message', (data: Buffer, isBinary: boolean) => this.#take(data, isBinary));
  }

  #take(data: Buffer, isBinary: boolean): void {
    const ordered = isBinary ? this.#binaryFrame(data) : this.#textFrame(data);
    if (ordered === 'bad') this.#deps.onBadFrame();
    if (ordered === 'bad' || ordered === 'done') return;
    this.#waiting.push({ frame: ordered, bytes: data.length });
    this.#waitingBytes += data.length;
    this.#deps.backlog.add(data.length);
    if (this.#isTooMuch(limits.sessionWaitingBytes)) this.#deps.socket.pause();
    if (this.#isWorking) return;
    this.#isWorking = true;
    // After the other frames of this moment, of which some may have overtaken each other.
    queueMicrotask(() => void this.#work());
  }

  /** While all sessions together hold too much, each may hold one frame. */
  #isTooMuch(waitingBytes: number): boolean {
    return this.#waitingBytes > (this.#deps.backlog.isFull ? 0 : waitingBytes);
  }

  #binaryFrame(data: Buffer): OrderedFrame | 'bad' | 'done' {
    if (isOutputAnswer(data)) {
      const answer = decodeOutputAnswer(data);
      return answer !== null && this.#deps.onAnswer(answer) ? 'done' : 'bad';
    }
    const frame = decodeOutput(data);
    return frame === null ? 'bad' : { kind: 'output', frame };
  }

  #textFrame(data: Buffer): OrderedFrame | 'bad' | 'done' {
    const frame = readAgentFrame(data.toString('utf8'));
    if (frame === null || frame.type === 'hello') return 'bad';
    if (frame.type === 'bye') return 'done';
    if (frame.type === 'ping') {
      this.#deps.onPing(frame);
      return 'done';
    }
    if (frame.type === 'job-text') return { kind: 'text', frame };
    return frame.type === 'ack' ? { kind: 'ack', frame } : { kind: 'result', frame };
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (!this.#deps.isCurrent()) this.#drop();
      else if (isOvertaken(next.frame, this.#waiting[1]?.frame)) this.#done();
      else if (await this.#handled(next.frame)) this.#done();
      else if (this.#deps.socket.readyState === this.#deps.socket.OPEN) {
        await this.#deps.clock.sleep(retryMs);
      } else this.#drop();
    }
    this.#isWorking = false;
  }

  #done(): void {
    const bytes = this.#waiting.shift()?.bytes ?? 0;
    this.#waitingBytes -= bytes;
    this.#deps.backlog.remove(bytes);
    const { socket } = this.#deps;
    if (socket.isPaused && !this.#isTooMuch(limits.sessionWaitingBytes / 2)) socket.resume();
  }

  #drop(): void {
    this.#waiting.length = 0;
    this.#deps.backlog.remove(this.#waitingBytes);
    this.#waitingBytes = 0;
  }

  async #handled(frame: OrderedFrame): Promise<boolean> {
    try {
      await this.#deps.onFrame(frame);
      return true;
    } catch (error) {
      this.#deps.onRetry(error);
      return false;
    }
  }
}

function isOvertaken({ kind, frame }: OrderedFrame, next: OrderedFrame | undefined): boolean {
  if (kind !== 'ack' || next?.frame.jobId !== frame.jobId) return false;
  return next.kind === 'result' || (next.kind === 'ack' && next.frame.state === 'running');
}
