import type { GuardRefusal } from '../contracts/guard-refusal.ts';
import type { GuardStanding } from '../contracts/guard-standing.ts';
import type {
  AlertRef,
  Episode,
  MailboxSettings,
  RemediationEndedSignal,
} from '../contracts/temporal.ts';
import { ChangeBook, type Flapping } from './change-book.ts';
import { EpisodeBook } from './episode.ts';
import { flappingRefusal } from './flapping-refusal.ts';
import { freshMemory, type MailboxMemory } from './mailbox-memory.ts';
import { mailboxGuards } from './mailbox-standing.ts';
import { portionOf } from './repair-portion.ts';
import { fingerprintOf, type RepairWords, type RunningRepair, wordsFor } from './repair-words.ts';

const episodesMax = 2_000;
const endedEarlyMax = 10;

type OwnMemory = Omit<MailboxMemory, 'episodes' | 'changes'>;

/** What a mailbox is to do now. Times are Unix milliseconds. */
export type MailboxDecision =
  | { readonly kind: 'start'; readonly episodes: readonly Episode[] }
  /** A repair is due and must not start; what is started instead only says why. */
  | {
      readonly kind: 'refuse';
      readonly episodes: readonly Episode[];
      readonly refusal: GuardRefusal;
    }
  /** `untilMs` is null while only a signal can change anything. */
  | { readonly kind: 'wait'; readonly untilMs: number | null; readonly why: string }
  | { readonly kind: 'close' };

/**
 * The rules of a mailbox without time or I/O: which episodes are due for a repair, when the next
 * one may start, how long to stay. A further repair of an episode needs a firing that the api
 * took in after the last repair ended (design 5.10); one that `maxRuns` kept from starting needs
 * a firing after that moment, so that a repair never starts on old evidence.
 */
export class MailboxState {
  #settings: MailboxSettings;
  readonly #book: EpisodeBook;
  readonly #changes: ChangeBook;
  #memory: OwnMemory;

  constructor(of: {
    readonly settings: MailboxSettings;
    readonly carried: MailboxMemory | undefined;
  }) {
    this.#settings = of.settings;
    const { episodes, changes, ...memory } = of.carried ?? freshMemory;
    this.#book = new EpisodeBook(episodes);
    this.#changes = new ChangeBook(changes);
    this.#memory = memory;
  }

  get settings(): MailboxSettings {
    return this.#settings;
  }

  useSettings(settings: MailboxSettings): void {
    this.#settings = settings;
  }

  /** Folds alerts in; returns the ids of episodes that closed. */
  take(alerts: readonly AlertRef[], nowMs: number): readonly string[] {
    const flap = this.#settings.damping?.flap ?? null;
    const closed: string[] = [];
    for (const alert of alerts) {
      this.#update({ heardAtMs: Math.max(this.#memory.heardAtMs, alert.receivedAtMs) });
      const change = this.#book.fold(alert);
      this.#changes.note(change, { flap, nowMs });
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

  /** A guard let the repair that was to start not start: the firings that asked for it are used up. */
  startRefused(of: {
    readonly refusal: GuardRefusal;
    readonly episodes: readonly Episode[];
    readonly nowMs: number;
  }): void {
    this.#update({
      running: null,
      startsMs: this.#memory.startsMs.slice(0, -1),
      refused: of.refusal,
    });
    this.#useUp(of.episodes, of.nowMs);
  }

  /** What kept the last repair from starting, as long as that holds as far as is known; else null. */
  toldRefusal(nowMs: number): GuardRefusal | null {
    const { refused } = this.#memory;
    return refused === undefined || nowMs >= refused.untilMs ? null : refused;
  }

  /** A remediation says now that the group is held for flapping; one for each time it is. */
  flappingTold(): void {
    this.#update({ isFlappingTold: true });
  }

  runningRepair(): RunningRepair | null {
    return this.#memory.running;
  }

  /**
   * What the running repair is to be told, null if nothing; it counts as told. `closed` are the
   * episodes that closed since this was asked last.
   */
  wordsForRepair(closed: readonly string[], nowMs: number): RepairWords | null {
    const { running } = this.#memory;
    if (running === null) return null;
    if (this.#settings.damping === undefined) {
      const resolved = closed.filter((id) => running.episodes.includes(id));
      return resolved.length === 0 ? null : { remediationId: running.remediationId, resolved };
    }
    if (this.#flapping(nowMs) !== null) return null;
    const { words, repair } = this.#wordsFor(running, nowMs);
    this.#update({ running: repair });
    if (words?.returned !== undefined) this.#coversReturns(words.returned);
    return words;
  }

  openEpisodes(): readonly Episode[] {
    return this.#book.open().map(({ episode }) => episode);
  }

  /** What to do at `nowMs`. Asking twice gives the same answer unless something was told between. */
  decide(nowMs: number): MailboxDecision {
    const { running } = this.#memory;
    if (running !== null) return this.#awaitRepair(running, nowMs);
    const { due, countsNextMs, asked } = this.#due(nowMs);
    if (due.length === 0) this.#update({ collectingSinceMs: null });
    const flapping = this.#flapping(nowMs);
    if (flapping !== null && asked.length > 0) return this.#heldFlapping(flapping, asked);
    if (due.length === 0) {
      if (countsNextMs === null) return this.#linger(nowMs);
      return { kind: 'wait', untilMs: countsNextMs, why: 'confirming' };
    }
    const readyAtMs = this.#readyAt(due.length, nowMs);
    if (nowMs < readyAtMs) {
      const inCooldown = readyAtMs === this.#cooldownUntil();
      return { kind: 'wait', untilMs: readyAtMs, why: inCooldown ? 'cooldown' : 'collecting' };
    }
    if (this.#runsUsed(nowMs) >= this.#settings.maxRuns.count) {
      this.#useUp(due, nowMs);
      return this.#linger(nowMs);
    }
    return { kind: 'start', episodes: portionOf(due) };
  }

  /** One Markdown line for Temporal UI. */
  describe(nowMs: number): string {
    const open = this.#book.open().length;
    const { running, last, repairs } = this.#memory;
    const now = running === null ? 'no repair running' : `running ${running.remediationId}`;
    const flapping = this.#flapping(nowMs);
    const held = flapping !== null ? this.#flappingRefusal(flapping) : this.toldRefusal(nowMs);
    const parts = [`${open} open episodes`, `${repairs} repairs`, now];
    if (last !== null) parts.push(`last: ${last.text}`);
    if (held !== null) parts.push(`**held(${held.reason})**: ${held.detail}`);
    return parts.join(' · ');
  }

  /** Where its guards stand, for who asks why nothing starts. Changes nothing: a query asks. */
  guards(nowMs: number): readonly GuardStanding[] {
    const { running, last, startsMs } = this.#memory;
    const flap = this.#settings.damping?.flap ?? null;
    return mailboxGuards(
      {
        settings: this.#settings,
        running: running?.remediationId ?? null,
        lastEndedAtMs: last?.endedAtMs ?? null,
        startsMs,
        changes: this.#changes.mostChanges(nowMs - (flap?.windowMs ?? 0)),
        flappingUntilMs: this.#changes.flappingAt(flap, nowMs)?.untilMs ?? null,
        refused: this.toldRefusal(nowMs),
      },
      nowMs,
    );
  }

  carried(): MailboxMemory {
    const episodes = this.#book.carried(episodesMax);
    return { ...this.#memory, episodes, changes: this.#changes.carried() };
  }

  /**
   * Open episodes that no repair has been started for, or that fired again after the last one; of
   * these `due` are those whose firing counts. Each with the latest start that was told: an end
   * before it is not the end of this alert.
   */
  #due(nowMs: number): {
    readonly due: readonly Episode[];
    readonly asked: readonly Episode[];
    /** When the next of the others counts. */
    readonly countsNextMs: number | null;
  } {
    const handled = new Set(this.#memory.handled);
    const asked = this.#book
      .open()
      .filter(
        ({ episode, firingReceivedAtMs }) =>
          !handled.has(episode.id) || firingReceivedAtMs > this.#memory.usedUpToMs,
      )
      .map(({ episode, firingStartsAt }) => ({ ...episode, startsAt: firingStartsAt }));
    const countsAt = ({ fingerprint }: Episode) => this.#countsAt(fingerprint);
    const later = asked.map(countsAt).filter((atMs) => atMs > nowMs);
    return {
      asked,
      due: asked.filter((episode) => countsAt(episode) <= nowMs),
      countsNextMs: later.length === 0 ? null : Math.min(...later),
    };
  }

  #countsAt(fingerprint: string): number {
    const { damping } = this.#settings;
    return damping === undefined ? 0 : this.#changes.countsAt(fingerprint, damping.confirmForMs);
  }

  #wordsFor(running: RunningRepair, nowMs: number): ReturnType<typeof wordsFor> {
    const open = new Set(this.#book.open().map(({ episode }) => episode.fingerprint));
    const countsAt = (fingerprint: string) =>
      open.has(fingerprint) ? this.#countsAt(fingerprint) : null;
    return wordsFor(running, { countsAt, nowMs });
  }

  /** The running repair takes these on again: once it has ended, only a further firing asks for more. */
  #coversReturns(returned: readonly string[]): void {
    const fingerprints = new Set(returned.map(fingerprintOf));
    const open = this.openEpisodes().filter(({ fingerprint }) => fingerprints.has(fingerprint));
    this.#update({ handled: this.#withHandled(open.map(({ id }) => id)) });
  }

  #awaitRepair(running: RunningRepair, nowMs: number): MailboxDecision {
    if (this.#settings.damping === undefined) return waiting(null, 'repairing');
    const { words, nextMs } = this.#wordsFor(running, nowMs);
    const flapping = this.#flapping(nowMs);
    if (words === null && nextMs === null) return waiting(null, 'repairing');
    if (flapping !== null) return waiting(flapping.untilMs, 'held(flapping)');
    return waiting(words === null ? nextMs : nowMs, 'confirming');
  }

  #flapping(nowMs: number): Flapping | null {
    const flapping = this.#changes.flapping(this.#settings.damping?.flap ?? null, nowMs);
    if (flapping === null && this.#memory.isFlappingTold) this.#update({ isFlappingTold: false });
    return flapping;
  }

  #heldFlapping(flapping: Flapping, asked: readonly Episode[]): MailboxDecision {
    if (this.#memory.isFlappingTold) return waiting(flapping.untilMs, 'held(flapping)');
    const refusal = this.#flappingRefusal(flapping);
    return { kind: 'refuse', episodes: portionOf(asked), refusal };
  }

  #flappingRefusal(flapping: Flapping): GuardRefusal {
    const isMeant = ({ episode }: { readonly episode: Episode }) =>
      episode.fingerprint === flapping.fingerprint;
    const flap = this.#settings.damping?.flap ?? null;
    const name = this.#book.open().find(isMeant)?.episode.name;
    return flappingRefusal(flapping, { flap, name });
  }

  /**
   * A further repair of these needs a firing after `nowMs`, so that none starts on old evidence, and
   * after their own last ones: by the clock of who took those in, which may be ahead, they may be later.
   */
  #useUp(due: readonly Episode[], nowMs: number): void {
    const ids = new Set(due.map(({ id }) => id));
    const firings = this.#book
      .open()
      .flatMap(({ episode, firingReceivedAtMs }) =>
        ids.has(episode.id) ? firingReceivedAtMs : [],
      );
    this.#update({
      usedUpToMs: Math.max(nowMs, ...firings),
      collectingSinceMs: null,
      handled: this.#withHandled(due.map((episode) => episode.id)),
    });
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
    const untilMs = Math.max(
      (last?.endedAtMs ?? heardAtMs) + stayMs,
      windowEnd,
      this.#memory.refused?.untilMs ?? 0,
      this.#changes.rememberedUntil(this.#settings.damping?.flap ?? null),
    );
    return nowMs >= untilMs ? { kind: 'close' } : { kind: 'wait', untilMs, why: 'lingering' };
  }

  #update(change: Partial<OwnMemory>): void {
    this.#memory = { ...this.#memory, ...change };
  }
}

const waiting = (untilMs: number | null, why: string): MailboxDecision => ({
  kind: 'wait',
  untilMs,
  why,
});
