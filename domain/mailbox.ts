import type {
  AlertRef,
  Episode,
  MailboxSettings,
  RemediationEndedSignal,
} from '../contracts/temporal.ts';
import { EpisodeBook, type EpisodeMemory } from './episode.ts';

const episodesMax = 2_000;
const endedEarlyMax = 10;
/** JSON characters of a repair's episodes: its input stays below Temporal's 2 MB, CJK included. */
const repairCharactersMax = 500_000;

/** What a mailbox is to do now. Times are Unix milliseconds. */
export type MailboxDecision =
  | { readonly kind: 'start'; readonly episodes: readonly Episode[] }
  /** `untilMs` is null while only a signal can change anything. */
  | { readonly kind: 'wait'; readonly untilMs: number | null; readonly why: string }
  | { readonly kind: 'close' };

type RunningRepair = { readonly remediationId: string; readonly episodes: readonly string[] };

/** All that goes through continue-as-new; plain JSON. */
export type MailboxMemory = {
  readonly episodes: EpisodeMemory;
  readonly repairs: number;
  readonly running: RunningRepair | null;
  readonly last: { readonly endedAtMs: number; readonly text: string } | null;
  /** When the latest repairs started, for `maxRuns`. */
  readonly startsMs: readonly number[];
  /** Episodes a repair has been started for. */
  readonly handled: readonly string[];
  /** Firings the api took in before this are no reason for a further repair. */
  readonly usedUpToMs: number;
  /** When collecting began; null while nothing waits for a repair. */
  readonly collectingSinceMs: number | null;
  readonly heardAtMs: number;
  /** Last words of repairs that this history has not started yet; see `repairEnded`. */
  readonly endedEarly: readonly RemediationEndedSignal[];
};

/**
 * The rules of a mailbox without time or I/O: which episodes are due for a repair, when the next
 * one may start, how long to stay. A further repair of an episode needs a firing that the api
 * took in after the last repair ended (design 5.10); one that `maxRuns` kept from starting needs
 * a firing after that moment, so that a repair never starts on old evidence.
 */
export class MailboxState {
  #settings: MailboxSettings;
  readonly #book: EpisodeBook;
  #memory: Omit<MailboxMemory, 'episodes'>;

  constructor(of: {
    readonly settings: MailboxSettings;
    readonly carried: MailboxMemory | undefined;
  }) {
    this.#settings = of.settings;
    this.#book = new EpisodeBook(of.carried?.episodes);
    const { episodes: _, ...memory } = of.carried ?? { ...fresh, episodes: [] };
    this.#memory = memory;
  }

  get settings(): MailboxSettings {
    return this.#settings;
  }

  useSettings(settings: MailboxSettings): void {
    this.#settings = settings;
  }

  /** Folds alerts in; returns the ids of episodes that closed. */
  take(alerts: readonly AlertRef[]): readonly string[] {
    const closed: string[] = [];
    for (const alert of alerts) {
      this.#update({ heardAtMs: Math.max(this.#memory.heardAtMs, alert.receivedAtMs) });
      const change = this.#book.fold(alert);
      if (change.kind === 'closed') closed.push(change.episode.id);
    }
    return closed;
  }

  /** The next repair's number, from 1. */
  nextNumber(): number {
    this.#update({ repairs: this.#memory.repairs + 1 });
    return this.#memory.repairs;
  }

  repairStarts(of: { readonly remediationId: string; readonly nowMs: number }): void {
    const window = of.nowMs - this.#settings.maxRuns.windowMs;
    this.#update({
      running: { remediationId: of.remediationId, episodes: [] },
      startsMs: [...this.#memory.startsMs.filter((at) => at > window), of.nowMs],
      collectingSinceMs: null,
    });
    const early = this.#memory.endedEarly.find((word) => word.remediationId === of.remediationId);
    if (early !== undefined) this.repairEnded(early, of.nowMs);
  }

  /** Which episodes the repair that started is really about; only these are handled. */
  repairCovers(of: { readonly remediationId: string; readonly episodes: readonly string[] }): void {
    this.#update({ handled: this.#withHandled(of.episodes) });
    const { running } = this.#memory;
    if (running?.remediationId !== of.remediationId) return;
    this.#update({ running: { ...running, episodes: of.episodes } });
  }

  /**
   * The word of a repair that ended. It may come before the start that it belongs to: a worker
   * that dies right after starting a repair leaves no trace of that in history, and the start is
   * made again, harmlessly, when the repair has long ended. Such words are kept for it.
   */
  repairEnded(signal: RemediationEndedSignal, nowMs: number): void {
    if (this.#memory.running?.remediationId !== signal.remediationId) {
      this.#update({ endedEarly: [...this.#memory.endedEarly, signal].slice(-endedEarlyMax) });
      return;
    }
    this.#update({
      running: null,
      last: { endedAtMs: nowMs, text: `${signal.remediationId} ended ${signal.state}` },
      usedUpToMs: Math.max(this.#memory.usedUpToMs, nowMs),
    });
  }

  runningRepair(): RunningRepair | null {
    return this.#memory.running;
  }

  openEpisodes(): readonly Episode[] {
    return this.#book.open().map(({ episode }) => episode);
  }

  /** What to do at `nowMs`. Asking twice gives the same answer unless something was told between. */
  decide(nowMs: number): MailboxDecision {
    if (this.#memory.running !== null) return { kind: 'wait', untilMs: null, why: 'repairing' };
    const due = this.#due();
    if (due.length === 0) {
      this.#update({ collectingSinceMs: null });
      return this.#linger(nowMs);
    }
    const readyAtMs = this.#readyAt(due.length, nowMs);
    if (nowMs < readyAtMs) {
      const inCooldown = readyAtMs === this.#cooldownUntil();
      return { kind: 'wait', untilMs: readyAtMs, why: inCooldown ? 'cooldown' : 'collecting' };
    }
    if (this.#runsUsed(nowMs) >= this.#settings.maxRuns.count) {
      this.#update({
        usedUpToMs: nowMs,
        collectingSinceMs: null,
        handled: this.#withHandled(due.map((episode) => episode.id)),
      });
      return this.#linger(nowMs);
    }
    return { kind: 'start', episodes: portionOf(due) };
  }

  /** One Markdown line for Temporal UI. */
  describe(): string {
    const open = this.#book.open().length;
    const { running, last, repairs } = this.#memory;
    const now = running === null ? 'no repair running' : `running ${running.remediationId}`;
    return `${open} open episodes · ${repairs} repairs · ${now}${last ? ` · last: ${last.text}` : ''}`;
  }

  carried(): MailboxMemory {
    return { ...this.#memory, episodes: this.#book.carried(episodesMax) };
  }

  /**
   * Open episodes that no repair has been started for, or that fired again after the last one.
   * Each with the latest start that was told: an end before it is not the end of this alert.
   */
  #due(): readonly Episode[] {
    const handled = new Set(this.#memory.handled);
    return this.#book
      .open()
      .filter(
        ({ episode, firingReceivedAtMs }) =>
          !handled.has(episode.id) || firingReceivedAtMs > this.#memory.usedUpToMs,
      )
      .map(({ episode, firingStartsAt }) => ({ ...episode, startsAt: firingStartsAt }));
  }

  #readyAt(due: number, nowMs: number): number {
    const since = this.#memory.collectingSinceMs ?? nowMs;
    this.#update({ collectingSinceMs: since });
    const collected = due >= this.#settings.groupMax ? since : since + this.#settings.waitMs;
    return Math.max(collected, this.#cooldownUntil());
  }

  #cooldownUntil(): number {
    const { last } = this.#memory;
    return last === null ? 0 : last.endedAtMs + this.#settings.cooldownMs;
  }

  #runsUsed(nowMs: number): number {
    const window = nowMs - this.#settings.maxRuns.windowMs;
    return this.#memory.startsMs.filter((at) => at > window).length;
  }

  #withHandled(ids: readonly string[]): readonly string[] {
    return [...new Set([...this.#memory.handled, ...ids])].slice(-episodesMax);
  }

  /** Stays as long as its guards must remember: forgetting a run early would let `maxRuns` be passed. */
  #linger(nowMs: number): MailboxDecision {
    const { last, startsMs, heardAtMs } = this.#memory;
    const stayMs = Math.max(this.#settings.cooldownMs, this.#settings.lingerMinMs);
    const windowEnd = Math.max(0, ...startsMs.map((at) => at + this.#settings.maxRuns.windowMs));
    const untilMs = Math.max((last?.endedAtMs ?? heardAtMs) + stayMs, windowEnd);
    return nowMs >= untilMs ? { kind: 'close' } : { kind: 'wait', untilMs, why: 'lingering' };
  }

  #update(change: Partial<Omit<MailboxMemory, 'episodes'>>): void {
    this.#memory = { ...this.#memory, ...change };
  }
}

/** As many as one repair can carry, at least one; the others stay due for the next. */
function portionOf(due: readonly Episode[]): readonly Episode[] {
  let characters = 0;
  const end = due.findIndex((episode, at) => {
    characters += JSON.stringify(episode).length;
    return at > 0 && characters > repairCharactersMax;
  });
  return end < 0 ? due : due.slice(0, end);
}

const fresh: Omit<MailboxMemory, 'episodes'> = {
  repairs: 0,
  running: null,
  last: null,
  startsMs: [],
  handled: [],
  usedUpToMs: 0,
  collectingSinceMs: null,
  heardAtMs: 0,
  endedEarly: [],
};
