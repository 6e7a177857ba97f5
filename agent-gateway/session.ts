import type { WebSocket } from 'ws';
import type { GatewayFrame } from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import type { Clock } from '../platform/clock.ts';

/** Why a gateway ends a session; the agent sees it in the bye frame. */
export type ByeReason =
  | 'bad_hello'
  | 'wrong_agent'
  | 'unsupported_protocol'
  | 'not_enrolled'
  | 'wrong_journal'
  | 'locked'
  | 'bad_frame'
  | 'replaced'
  | 'silent'
  | 'shutting_down';

const closeCode = 1008;
const goingAway = 1001;
const closeWithinMs = 1_000;

/** Says bye and closes; a peer that does not close its side in time is cut off. */
export function dismiss(
  socket: WebSocket,
  of: { readonly reason: ByeReason; readonly retryAfterMs: number; readonly clock: Clock },
): void {
  socket.send(JSON.stringify({ type: 'bye', reason: of.reason, retryAfterMs: of.retryAfterMs }));
  socket.close(of.reason === 'shutting_down' ? goingAway : closeCode, of.reason);
  const timer = of.clock.after(closeWithinMs, () => socket.terminate());
  socket.once('close', () => timer.cancel());
}

/**
 * One live link with an agent that has said hello. It remembers which jobs it was given, so that a
 * job is written once per session, and which of them were cancelled.
 */
export class Session {
  readonly agentId: string;
  readonly sessionId: string;
  readonly version: string;
  /** Of the agent's hello: what it may be sent. */
  readonly protocol: number;
  readonly connectedAt: number;
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  /** Job id → monotonic ms at which it was written, undefined once it was acked. */
  readonly #given = new Map<string, number | undefined>();
  readonly #cancelled = new Map<string, string>();
  #lastSeenAt: number;
  #heardAt: number;

  constructor(of: {
    readonly agentId: string;
    readonly sessionId: string;
    readonly version: string;
    readonly protocol: number;
    readonly socket: WebSocket;
    readonly clock: Clock;
  }) {
    this.agentId = of.agentId;
    this.sessionId = of.sessionId;
    this.version = of.version;
    this.protocol = of.protocol;
    this.#socket = of.socket;
    this.#clock = of.clock;
    this.connectedAt = of.clock.now();
    this.#lastSeenAt = this.connectedAt;
    this.#heardAt = of.clock.monotonic();
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  /** Unix milliseconds of the last ping, or of the hello. */
  get lastSeenAt(): number {
    return this.#lastSeenAt;
  }

  /** Milliseconds since then, whatever was done to the wall clock meanwhile. */
  get silentMs(): number {
    return this.#clock.monotonic() - this.#heardAt;
  }

  heard(): void {
    this.#lastSeenAt = this.#clock.now();
    this.#heardAt = this.#clock.monotonic();
  }

  /** Writes a frame, or nothing if the link is closed. A link with too much unsent is cut off. */
  send(frame: GatewayFrame): void {
    if (!this.isOpen) return;
    this.#socket.send(JSON.stringify(frame));
    if (this.#socket.bufferedAmount > limits.linkBacklogBytes) this.#socket.terminate();
  }

  hasBeenGiven(jobId: string): boolean {
    return this.#given.has(jobId);
  }

  /** Writes a job. If it was cancelled, also while it was on its way here, the cancel follows it. */
  give(dispatch: Extract<GatewayFrame, { type: 'dispatch' }>, cancelled: string | null): void {
    this.#given.set(dispatch.jobId, this.#clock.monotonic());
    this.send(dispatch);
    const reason = cancelled ?? this.#cancelled.get(dispatch.jobId);
    if (reason !== undefined) this.cancel(dispatch.jobId, reason);
  }

  /** Asks the agent to end a job. May be repeated; the agent keeps the first reason. */
  cancel(jobId: string, reason: string): void {
    this.#cancelled.set(jobId, reason);
    const known = reason === 'resolved' || reason === 'stop' ? reason : 'operator';
    this.send({ type: 'cancel', jobId, reason: known });
  }

  /** Milliseconds since the job was written, at its first ack only. */
  acked(jobId: string): number | undefined {
    const at = this.#given.get(jobId);
    if (at === undefined) return undefined;
    this.#given.set(jobId, undefined);
    return this.#clock.monotonic() - at;
  }

  /** Forgets a job that is over. */
  ended(jobId: string): void {
    this.#given.delete(jobId);
    this.#cancelled.delete(jobId);
  }

  end(reason: ByeReason, retryAfterMs: number): void {
    if (this.isOpen) dismiss(this.#socket, { reason, retryAfterMs, clock: this.#clock });
    else this.#socket.terminate();
  }
}
