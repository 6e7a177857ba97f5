import type { Damping } from '../contracts/guard-refusal.ts';
import { limits } from '../contracts/limits.ts';
import type { EpisodeChange } from './episode.ts';

/** Unix milliseconds of the mailbox, which are not the sender's: a backlog counts as one moment. */
type AlertChanges = {
  /** The latest changes, oldest first; as many as a judgement needs. */
  readonly atMs: readonly number[];
  /** Since when it fires again; null while it does not, or does for the first time. */
  readonly returnedAtMs: number | null;
};

/** Plain JSON: it travels through continue-as-new. */
export type ChangeMemory = {
  readonly alerts: readonly (readonly [fingerprint: string, AlertChanges])[];
  readonly isFlapping: boolean;
};

/** A group is held while one of its alerts is too unsteady. */
export type Flapping = {
  readonly fingerprint: string;
  /** Changes of that alert within the window. */
  readonly changes: number;
  /** When it is stable if nothing changes any more. */
  readonly untilMs: number;
};

/**
 * How alerts come and go (rule R17). Only an alert that resolved and fires again changes: the first
 * firing of each is news, however many there are. A group begins to flap when one alert changed more
 * often than the limit within the window, and is stable again when no alert has more than half of that
 * many left in it; the gap keeps a group at the limit from going in and out all the time.
 */
export class ChangeBook {
  readonly #alerts: Map<string, AlertChanges>;
  #isFlapping: boolean;

  constructor(carried: ChangeMemory | undefined) {
    this.#alerts = new Map(carried?.alerts);
    this.#isFlapping = carried?.isFlapping ?? false;
  }

  /** Takes in what one alert changed. */
  note(
    change: EpisodeChange,
    of: { readonly flap: Damping['flap']; readonly nowMs: number },
  ): void {
    if (change.kind !== 'closed' && !(change.kind === 'opened' && change.isReturn)) return;
    const { fingerprint } = change.episode;
    const before = this.#alerts.get(fingerprint)?.atMs ?? [];
    this.#alerts.delete(fingerprint); // The order is that of the latest change.
    this.#alerts.set(fingerprint, {
      atMs: [...before, of.nowMs].slice(-((of.flap?.changes ?? 0) + 1)),
      returnedAtMs: change.kind === 'opened' ? of.nowMs : null,
    });
    this.#forget(of.nowMs - (of.flap?.windowMs ?? 0));
  }

  /** When a firing of this alert counts: at once the first time, else after it went on for a while. */
  countsAt(fingerprint: string, confirmForMs: number): number {
    const returnedAtMs = this.#alerts.get(fingerprint)?.returnedAtMs ?? null;
    return returnedAtMs === null ? 0 : returnedAtMs + confirmForMs;
  }

  /** Whether the group flaps at `nowMs`; of several such alerts the one that takes longest to be stable. */
  flapping(flap: Damping['flap'], nowMs: number): Flapping | null {
    const worst = this.flappingAt(flap, nowMs);
    if (flap !== null) this.#isFlapping = worst !== null;
    return worst;
  }

  /** The same for one who only asks: it changes nothing. */
  flappingAt(flap: Damping['flap'], nowMs: number): Flapping | null {
    if (flap === null) return null;
    const allowed = this.#isFlapping ? Math.floor(flap.changes / 2) : flap.changes;
    const after = nowMs - flap.windowMs;
    let worst: Flapping | null = null;
    for (const [fingerprint, { atMs }] of this.#alerts) {
      const changes = atMs.filter((at) => at > after).length;
      if (changes <= allowed) continue;
      const leavesLast = atMs.at(-1 - Math.floor(flap.changes / 2)) ?? 0;
      const untilMs = leavesLast + flap.windowMs;
      if (untilMs > (worst?.untilMs ?? 0)) worst = { fingerprint, changes, untilMs };
    }
    return worst;
  }

  /** Changes of the least steady alert after `afterMs`; as many as are remembered of it. */
  mostChanges(afterMs: number): number {
    const counts = [...this.#alerts.values()].map(
      ({ atMs }) => atMs.filter((at) => at > afterMs).length,
    );
    return Math.max(0, ...counts);
  }

  /** Until when its changes may still hold the group. */
  rememberedUntil(flap: Damping['flap']): number {
    if (flap === null) return 0;
    const latest = [...this.#alerts.values()].map(({ atMs }) => atMs.at(-1) ?? 0);
    return Math.max(0, ...latest.map((at) => at + flap.windowMs));
  }

  carried(): ChangeMemory {
    return { alerts: [...this.#alerts], isFlapping: this.#isFlapping };
  }

  #forget(untilMs: number): void {
    for (const [fingerprint, { atMs, returnedAtMs }] of this.#alerts) {
      const isOver = returnedAtMs === null && (atMs.at(-1) ?? 0) <= untilMs;
      if (isOver || this.#alerts.size > limits.mailboxEpisodesMax) this.#alerts.delete(fingerprint);
    }
  }
}
