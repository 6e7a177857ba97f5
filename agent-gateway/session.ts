import type { WebSocket } from 'ws';
import type { GatewayFrame } from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import type { TrustEnvelope } from '../contracts/trust.ts';
import type { Clock } from '../platform/clock.ts';

/** Why a gateway ends a session; the agent sees it in the bye frame. */
export type ByeReason =
  | 'bad_hello'
  | 'wrong_agent'
  | 'unsupported_protocol'
  | 'not_enrolled'
  | 'wrong_journal'
  | 'journal_rolled_back'
  | 'locked'
  | 'certificate_expired'
  | 'bad_frame'
  | 'replaced'
  | 'silent'
  | 'draining';

type Pong = Extract<GatewayFrame, { type: 'pong' }>;

const closeCode = 1008;
const goingAway = 1001;
const closeWithinMs = 1_000;

/** Says bye and closes; a peer that does not close its side in time is cut off. */
export function dismiss(
  socket: WebSocket,
  of: { readonly reason: ByeReason; readonly retryAfterMs: number; readonly clock: Clock },
): void {
  socket.send(JSON.stringify({ type: 'bye', reason: of.reason, retryAfterMs: of.retryAfterMs }));
  socket.close(of.reason === 'draining' ? goingAway : closeCode, of.reason);
  const timer = of.clock.after(closeWithinMs, () => socket.terminate());
  socket.once('close', () => timer.cancel());
}

// No task was created then.
const doubted = -1;

/** A job that was written, or is about to be. */
type Given = {
  /** Of its task, Unix milliseconds; 0 while it is not known. Another one is another task, or in doubt. */
  createdAt: number;
  /** Undefined before it was written and once it was acked. */
  unheard: Unheard | undefined;
};

/** A job that was written and of which the agent has said nothing. */
type Unheard = {
  /** Monotonic milliseconds. */
  readonly writtenAt: number;
  readonly onHeard: () => void;
  readonly policy: string | null;
};

/** What a ping tells beside that the agent lives. */
type Heard = {
  readonly sequence?: number | undefined;
  /** Milliseconds; null if the host's clock is right. */
  readonly clockOffsetMs: number | null;
};

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
  /** Of the link; Unix milliseconds. */
  readonly certificateEndsAt: number;
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #given = new Map<string, Given>();
  readonly #cancelled = new Map<string, string>();
  /** Jobs whose text the agent was asked for and has not sent. */
  readonly #asked = new Set<string>();
  /** Those that are asked for when one of them came. */
  readonly #toAsk = new Set<string>();
  /** Jobs whose results are stored and whose agent is yet to hear of it. */
  readonly #stored = new Set<string>();
  /** What Redis has of this session while it is its agent's newest; null until it was written. */
  owner: string | null = null;
  /** The `lastSeenAt` that was last written to Redis. */
  flushedAt = 0;
  /** The `sequence` that was last written to Redis. */
  flushedSequence = -1;
  /** Whether the agent has spoken since it was welcomed. */
  hasPinged = false;
  #sequence: number;
  readonly #openedAt: number;
  /** The `clockOffsetMs` that was last written to Redis; undefined before the first. */
  flushedOffsetMs: number | null | undefined;
  #clockOffsetMs: number | null = null;
  #lastSeenAt: number;
  #heardAt: number;

  constructor(of: {
    readonly agentId: string;
    readonly sessionId: string;
    readonly version: string;
    readonly protocol: number;
    readonly sequence: number;
    readonly certificateEndsAt: number;
    readonly socket: WebSocket;
    readonly clock: Clock;
  }) {
    this.agentId = of.agentId;
    this.sessionId = of.sessionId;
    this.version = of.version;
    this.protocol = of.protocol;
    this.certificateEndsAt = of.certificateEndsAt;
    this.#sequence = of.sequence;
    this.#socket = of.socket;
    this.#clock = of.clock;
    this.connectedAt = of.clock.now();
    this.#lastSeenAt = this.connectedAt;
    this.#heardAt = of.clock.monotonic();
    this.#openedAt = this.#heardAt;
  }

  /** The highest sequence number of the agent's journal that this session told (rule R16). */
  get sequence(): number {
    return this.#sequence;
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

  /** Milliseconds that the host's clock is ahead, as its last ping said; null if it is right. */
  get clockOffsetMs(): number | null {
    return this.#clockOffsetMs;
  }

  /** A ping came; its sequence, if it tells one, only grows. */
  heard({ sequence, clockOffsetMs }: Heard): void {
    this.#sequence = Math.max(this.#sequence, sequence ?? 0);
    this.hasPinged = true;
    this.#clockOffsetMs = clockOffsetMs;
    this.#lastSeenAt = this.#clock.now();
    this.#heardAt = this.#clock.monotonic();
  }

  /** Milliseconds since the hello. */
  get ageMs(): number {
    return this.#clock.monotonic() - this.#openedAt;
  }

  /** Writes a frame, or nothing if the link is closed. A link with too much unsent is cut off. */
  send(frame: GatewayFrame): void {
    this.sendText(JSON.stringify(frame));
  }

  /** The same of a frame that is text already. */
  sendText(text: string): void {
    if (!this.isOpen) return;
    this.#socket.send(text);
    if (this.#socket.bufferedAmount > limits.linkBacklogBytes) this.#socket.terminate();
  }

  /** Whether jobs may be written: the session is open, and every gateway can know of it. */
  get isReady(): boolean {
    return this.isOpen && this.owner !== null;
  }

  /** Hands a trust bundle on; protocol 1 knows no such frame. */
  trust(bundle: TrustEnvelope): void {
    if (this.protocol >= 2) this.send({ type: 'trust', bundle });
  }

  hasBeenGiven(jobId: string): boolean {
    return this.#given.has(jobId);
  }

  /**
   * Takes a job that will be written; false if it was before. A task that was made again after
   * Redis had lost it has another `createdAt`, and its jobs are written once more (rule R6); so is a
   * job in doubt, whoever comes to write it first.
   */
  reserve(jobId: string, createdAt: number): boolean {
    const given = this.#given.get(jobId);
    if (given !== undefined && given.createdAt !== doubted) {
      const isUnsaid = createdAt === 0 || given.createdAt === 0;
      if (isUnsaid || given.createdAt === createdAt) return false;
    }
    this.#given.set(jobId, { createdAt, unheard: undefined });
    return true;
  }

  /** Redis may have lost what became of these jobs, and what pings told: each is written once more. */
  doubtGiven(): void {
    for (const given of this.#given.values()) given.createdAt = doubted;
    this.doubtFlushed();
  }

  /** Redis has lost what pings told: it is written again. */
  doubtFlushed(): void {
    this.flushedAt = 0;
    this.flushedSequence = -1;
    this.flushedOffsetMs = undefined;
  }

  /** Lets go of a job that was not written after all. */
  release(jobId: string): void {
    this.#given.delete(jobId);
  }

  /** Writes a job. If it was cancelled, also while it was on its way here, the cancel follows it. */
  give(of: {
    readonly jobId: string;
    readonly createdAt: number;
    /** The dispatch frame. */
    readonly text: string;
    readonly cancelled: string | null;
    /** Hears of the agent's first word on it, unless the link ends before. */
    readonly onHeard: () => void;
    /** Whose repair it is a part of. */
    readonly policy: string | null;
  }): void {
    const { jobId, createdAt, onHeard, policy } = of;
    const unheard = { writtenAt: this.#clock.monotonic(), onHeard, policy };
    this.#given.set(jobId, { createdAt, unheard });
    this.sendText(of.text);
    const reason = of.cancelled ?? this.#cancelled.get(jobId);
    if (reason !== undefined) this.cancel(jobId, reason);
  }

  /**
   * Whether a job of a policy that satisfies `isStopped` was written and not heard of: it may still lie
   * in a link that stalls, and must not start when that goes on.
   */
  isUnheardOf(isStopped: (policy: string) => boolean): boolean {
    for (const { unheard } of this.#given.values()) {
      if (unheard !== undefined && unheard.policy !== null && isStopped(unheard.policy))
        return true;
    }
    return false;
  }

  /**
   * Asks for the text of a job whose task is not known: at once, or when enough others came. Beyond
   * `textsWaitingMax` it is not asked for on this link, and the agent tells of the job on its next
   * one. False if this agent cannot be asked at all, because it speaks an older version.
   */
  askText(jobId: string): boolean {
    if (this.protocol < 2) return false;
    if (this.#asked.has(jobId)) return true;
    if (this.#asked.size >= limits.textsAskedMax) {
      if (this.#toAsk.size < limits.textsWaitingMax) this.#toAsk.add(jobId);
      return true;
    }
    this.#asked.add(jobId);
    this.send({ type: 'resync', jobId });
    return true;
  }

  /** Whether the job's text was asked for and is still to come. */
  isAsked(jobId: string): boolean {
    return this.#asked.has(jobId);
  }

  /** The text came and needs no second look. */
  textCame(jobId: string): void {
    this.#asked.delete(jobId);
    const [next] = this.#toAsk;
    if (next === undefined || this.#asked.size >= limits.textsAskedMax) return;
    this.#toAsk.delete(next);
    this.askText(next);
  }

  /** Asks the agent to end a job. May be repeated; the agent keeps the first reason. */
  cancel(jobId: string, reason: string): void {
    this.#cancelled.set(jobId, reason);
    const known = reason === 'resolved' || reason === 'stop' ? reason : 'operator';
    this.send({ type: 'cancel', jobId, reason: known });
  }

  /** Milliseconds since the job was written, at its first ack only. */
  acked(jobId: string): number | undefined {
    const given = this.#given.get(jobId);
    if (given?.unheard === undefined) return undefined;
    const { writtenAt, onHeard } = given.unheard;
    given.unheard = undefined;
    onHeard();
    return this.#clock.monotonic() - writtenAt;
  }

  /**
   * Forgets a job whose result is stored, and has the agent hear of it by the next pong: a frame of
   * its own costs as much as the dispatch did. If the link ends before, the agent tells the result
   * again on its next one.
   */
  stored(jobId: string): void {
    this.#given.delete(jobId);
    this.#cancelled.delete(jobId);
    const hasRoom = this.#stored.size < limits.storedTellingMax;
    if (this.protocol >= 2 && hasRoom) this.#stored.add(jobId);
    else this.send({ type: 'stored', jobId });
  }

  /** Answers a ping, and tells what was stored since the last one. */
  pong(of: Omit<Pong, 'type' | 'stored'>): void {
    const stored = [...this.#stored];
    this.#stored.clear();
    this.send({ type: 'pong', ...of, ...(stored.length === 0 ? {} : { stored }) });
  }

  end(reason: ByeReason, retryAfterMs: number): void {
    for (const jobId of this.#stored) this.send({ type: 'stored', jobId });
    this.#stored.clear();
    if (this.isOpen) dismiss(this.#socket, { reason, retryAfterMs, clock: this.#clock });
    else this.#socket.terminate();
  }
}
