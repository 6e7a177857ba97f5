import type { AgentFrame, GatewayFrame } from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import type { Clock, Timer } from '../platform/clock.ts';

type Pong = Extract<GatewayFrame, { type: 'pong' }>;
type Sample = { readonly offsetMs: number; readonly roundTripMs: number };

/** What a session gives the lease to live on. */
export type LeaseSession = {
  readonly pingMs: number;
  readonly startLeaseMs: number;
  readonly send: (frame: AgentFrame) => void;
  /** Of the journal, told with each ping (rule R16). */
  readonly sequence: () => number;
  /** No answer came for several pings: the link is dead, whatever the socket says. */
  readonly onSilent: () => void;
};

const silentPings = 3;
const samplesMax = 8;
/** Beyond what two round trips explain: this machine slept, or the gateway's clock was set. */
const jumpMs = 50;

/**
 * The agent's right to start jobs (invariant 4, rule R10): a pong grants it until `startLeaseMs`
 * after its own ping was sent, on this machine's monotonic clock. Also the gateway's time, from the
 * ping with the shortest round trip. A lease outlives its session, but jobs come only by one.
 */
export class StartLease {
  readonly #clock: Clock;
  readonly #sentAt = new Map<number, number>();
  readonly #waiting = new Set<{ readonly since: number; readonly done: () => void }>();
  #session: LeaseSession | undefined;
  #timer: Timer | undefined;
  #lastId = 0;
  #leasedUntil = Number.NEGATIVE_INFINITY;
  #heardAt = 0;
  #isStopped = false;
  #samples: Sample[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts pinging on a session that was welcomed. */
  begin(session: LeaseSession): void {
    this.end();
    this.#session = session;
    this.#heardAt = this.#clock.monotonic();
    this.#beat();
  }

  /** The session is over; its unanswered pings count no more. */
  end(): void {
    this.#timer?.cancel();
    this.#session = undefined;
    this.#sentAt.clear();
  }

  /** A pong that answers no ping of this session changes nothing. */
  onPong(pong: Pong): void {
    const sentAt = this.#sentAt.get(pong.id);
    const session = this.#session;
    if (sentAt === undefined || session === undefined) return;
    this.#sentAt.delete(pong.id);
    const now = this.#clock.monotonic();
    this.#heardAt = now;
    this.#isStopped = pong.stopped;
    if (pong.lease) {
      this.#leasedUntil = Math.max(this.#leasedUntil, sentAt + session.startLeaseMs);
    } else this.#leasedUntil = Number.NEGATIVE_INFINITY;
    const roundTripMs = now - sentAt;
    this.#learn({ roundTripMs, offsetMs: pong.gatewayTime + roundTripMs / 2 - now });
    for (const waiter of this.#waiting) if (sentAt >= waiter.since) waiter.done();
  }

  holds(): boolean {
    return this.#clock.monotonic() < this.#leasedUntil;
  }

  /** The kill switch, as the last pong told it. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Unix milliseconds by the gateway's clock, or null before the first pong. */
  gatewayTime(): number | null {
    const best = this.#best();
    return best === undefined ? null : this.#clock.monotonic() + best.offsetMs;
  }

  /** Pings at once and resolves when that is answered, or after `waitMs`. Never rejects. */
  refresh(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const waiter = {
        since: this.#clock.monotonic(),
        done: () => {
          this.#waiting.delete(waiter);
          timer.cancel();
          resolve();
        },
      };
      const timer = this.#clock.after(waitMs, waiter.done);
      this.#waiting.add(waiter);
      this.#ping();
    });
  }

  #beat(): void {
    const session = this.#session;
    if (session === undefined) return;
    if (this.#clock.monotonic() - this.#heardAt > silentPings * session.pingMs) {
      session.onSilent();
      return;
    }
    this.#ping();
    // ± 10 %, so that agents that connected together do not ping together for ever.
    const waitMs = session.pingMs * (0.9 + this.#clock.random() * 0.2);
    this.#timer = this.#clock.after(waitMs, () => this.#beat());
  }

  #ping(): void {
    if (this.#session === undefined) return;
    this.#lastId += 1;
    const now = this.#clock.monotonic();
    for (const [id, sentAt] of this.#sentAt) {
      if (sentAt + this.#session.startLeaseMs < now) this.#sentAt.delete(id);
    }
    this.#sentAt.set(this.#lastId, now);
    const clockOffsetMs = this.#clockOffsetMs();
    this.#session.send({
      ...{ type: 'ping', id: this.#lastId, sequence: this.#session.sequence() },
      ...(clockOffsetMs === null ? {} : { clockOffsetMs }),
    });
  }

  /** How far this machine's clock is ahead; null while nobody needs to know. */
  #clockOffsetMs(): number | null {
    const gatewayTime = this.gatewayTime();
    if (gatewayTime === null) return null;
    const offsetMs = Math.round(this.#clock.now() - gatewayTime);
    return Math.abs(offsetMs) > limits.clockOffsetMs ? offsetMs : null;
  }

  #learn(sample: Sample): void {
    const best = this.#best();
    const explained = best === undefined ? 0 : (sample.roundTripMs + best.roundTripMs) / 2 + jumpMs;
    if (best !== undefined && Math.abs(sample.offsetMs - best.offsetMs) > explained) {
      this.#samples = [];
    }
    this.#samples = [...this.#samples, sample].slice(-samplesMax);
  }

  #best(): Sample | undefined {
    return this.#samples.reduce<Sample | undefined>(
      (best, each) => (best === undefined || each.roundTripMs < best.roundTripMs ? each : best),
      undefined,
    );
  }
}
