import type { AlertRef, Episode } from '../contracts/temporal.ts';
import { instantOf, millisecondsOf } from './instant.ts';

/** What a mailbox remembers of one fingerprint. Plain JSON: it travels through continue-as-new. */
export type FingerprintMemory = {
  /** Set while an episode is open. */
  readonly open: Episode | null;
  /** When the sender last said firing, and when the api took that in (Unix ms). */
  readonly firingStartsAt: string | null;
  readonly firingReceivedAtMs: number;
  /** The latest end the sender told. */
  readonly endsAt: string | null;
  /** The api's time of whatever was heard last: the oldest are forgotten first. */
  readonly heardAtMs: number;
};

/** Memory by fingerprint. An array of pairs, because a fingerprint may be `__proto__`. */
export type EpisodeMemory = readonly (readonly [string, FingerprintMemory])[];

export type EpisodeChange =
  /** `isReturn`: its alert resolved before. */
  | { readonly kind: 'opened'; readonly episode: Episode; readonly isReturn: boolean }
  | { readonly kind: 'joined'; readonly episode: Episode }
  | { readonly kind: 'closed'; readonly episode: Episode }
  /** A firing of an episode that is over: resolved is final (invariant 7). */
  | { readonly kind: 'late' }
  | { readonly kind: 'nothing' };

/**
 * Folds alerts into episodes (design 5.1). The first firing of a fingerprint opens one and every
 * later firing joins it, whatever its `startsAt`; `resolved` closes it; a firing that began before
 * the last known end is late. Whether an episode is open in the end does not depend on the order
 * in which alerts arrive, nor on repeats: it is open if the latest known firing began no earlier
 * than the latest known end.
 */
export class EpisodeBook {
  readonly #memory: Map<string, FingerprintMemory>;

  constructor(carried: EpisodeMemory = []) {
    this.#memory = new Map(carried);
  }

  /** Takes one alert in and says what it changed. */
  fold(alert: AlertRef): EpisodeChange {
    const before = this.#memory.get(alert.fingerprint) ?? empty;
    const [after, change] =
      alert.status === 'resolved' ? resolve(before, alert) : fire(before, alert);
    this.#memory.set(alert.fingerprint, after);
    return change;
  }

  /**
   * Open episodes in order of fingerprint, with the latest start that the sender told and the api's
   * time of that word.
   */
  open(): { episode: Episode; firingStartsAt: string; firingReceivedAtMs: number }[] {
    return [...this.#memory.values()]
      .flatMap(({ open, firingStartsAt, firingReceivedAtMs }) =>
        open === null
          ? []
          : [
              {
                episode: open,
                firingStartsAt: firingStartsAt ?? open.startsAt,
                firingReceivedAtMs,
              },
            ],
      )
      .sort((left, right) => (left.episode.fingerprint < right.episode.fingerprint ? -1 : 1));
  }

  isOpen(episodeId: string): boolean {
    return this.open().some(({ episode }) => episode.id === episodeId);
  }

  /** What to carry over: at most `max`, the oldest closed ones left out first (rule R2). */
  carried(max: number): EpisodeMemory {
    const all = [...this.#memory.entries()];
    if (all.length <= max) return all;
    return all
      .sort(([, left], [, right]) =>
        (left.open === null) !== (right.open === null)
          ? left.open === null
            ? 1
            : -1
          : right.heardAtMs - left.heardAtMs,
      )
      .slice(0, max);
  }
}

const empty: FingerprintMemory = {
  open: null,
  firingStartsAt: null,
  firingReceivedAtMs: 0,
  endsAt: null,
  heardAtMs: 0,
};

const later = (left: string | null, right: string | null): string | null =>
  compare(left, right) >= 0 ? left : right;

/** Of times, to the nanosecond; no time is before every time. */
function compare(left: string | null, right: string | null): number {
  const [a, b] = [nanoseconds(left), nanoseconds(right)];
  return a < b ? -1 : a > b ? 1 : 0;
}

const nanoseconds = (text: string | null): bigint =>
  (text === null ? null : instantOf(text)) ?? -(2n ** 63n);

function fire(before: FingerprintMemory, alert: AlertRef): [FingerprintMemory, EpisodeChange] {
  if (before.endsAt !== null && compare(alert.startsAt, before.endsAt) < 0) {
    return [before, { kind: 'late' }];
  }
  const heardAtMs = Math.max(before.heardAtMs, alert.receivedAtMs);
  // A late entry is no evidence that it fires still: it opens nothing and refreshes nothing (R2).
  if (alert.late && before.open === null) return [{ ...before, heardAtMs }, { kind: 'nothing' }];
  const episode = before.open ?? episodeOf(alert);
  const after: FingerprintMemory = {
    ...before,
    heardAtMs,
    open: episode,
    firingStartsAt: later(before.firingStartsAt, alert.startsAt),
    firingReceivedAtMs: alert.late
      ? before.firingReceivedAtMs
      : Math.max(before.firingReceivedAtMs, alert.receivedAtMs),
  };
  return before.open === null
    ? [after, { kind: 'opened', episode, isReturn: before.endsAt !== null }]
    : [after, { kind: 'joined', episode }];
}

function resolve(before: FingerprintMemory, alert: AlertRef): [FingerprintMemory, EpisodeChange] {
  const endsAt = later(before.endsAt, alert.endsAt);
  const heardAtMs = Math.max(before.heardAtMs, alert.receivedAtMs);
  const isOver =
    before.open !== null && endsAt !== null && compare(before.firingStartsAt, endsAt) < 0;
  const after = { ...before, endsAt, heardAtMs, open: isOver ? null : before.open };
  return isOver && before.open !== null
    ? [after, { kind: 'closed', episode: before.open }]
    : [after, { kind: 'nothing' }];
}

/** The episode that a firing opens. */
export function episodeOf(alert: AlertRef): Episode {
  return {
    id: `${alert.fingerprint}@${millisecondsOf(alert.startsAt) ?? 0}`,
    fingerprint: alert.fingerprint,
    name: alert.name,
    severity: alert.severity,
    labels: alert.labels,
    ...(alert.annotations === undefined ? {} : { annotations: alert.annotations }),
    startsAt: alert.startsAt,
  };
}
