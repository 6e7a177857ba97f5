import type { GuardRefusal } from '../contracts/guard-refusal.ts';
import type { GuardStanding } from '../contracts/guard-standing.ts';
import type { MailboxSettings } from '../contracts/temporal.ts';
import { durationText } from './duration-text.ts';

/** What a mailbox knows of the guards that it keeps. Times are Unix milliseconds. */
export type MailboxFacts = {
  readonly settings: Pick<MailboxSettings, 'cooldownMs' | 'maxRuns' | 'damping'>;
  readonly running: string | null;
  readonly lastEndedAtMs: number | null;
  /** When the repairs of the window of `maxRuns` started. */
  readonly startsMs: readonly number[];
  /** Changes of its least steady alert within the window of `flap`. */
  readonly changes: number;
  readonly flappingUntilMs: number | null;
  /** What kept the last repair from starting, while it still does. */
  readonly refused: GuardRefusal | null;
};

/** A group of which nothing is known has used nothing. */
export const noFacts = (settings: MailboxFacts['settings']): MailboxFacts => ({
  ...{ settings, running: null, lastEndedAtMs: null, startsMs: [], changes: 0 },
  ...{ flappingUntilMs: null, refused: null },
});

/** Every guard that the mailbox keeps, with limit, use and what to do, those that hold first. */
export function mailboxGuards(facts: MailboxFacts, nowMs: number): readonly GuardStanding[] {
  const all = [
    oneAtATime(facts),
    cooldown(facts, nowMs),
    maxRuns(facts, nowMs),
    ...flap(facts),
    ...refused(facts),
  ];
  return [...all.filter(({ holds }) => holds), ...all.filter(({ holds }) => !holds)];
}

const at = (ms: number): string => new Date(ms).toISOString();

const oneAtATime = ({ running }: MailboxFacts): GuardStanding => ({
  guard: 'one repair of a group at a time',
  limit: '1',
  use: running === null ? '0' : `1: ${running}`,
  slack: running === null ? '1 of 1' : 'none',
  holds: running !== null,
  untilMs: null,
  remedy: 'wait for it to end, or cancel it: `fixpoint remediation show` of it',
});

function cooldown({ settings, lastEndedAtMs }: MailboxFacts, nowMs: number): GuardStanding {
  const untilMs = lastEndedAtMs === null ? 0 : lastEndedAtMs + settings.cooldownMs;
  const holds = nowMs < untilMs;
  return {
    guard: 'guards.cooldown',
    limit: `${durationText(settings.cooldownMs)} after a repair`,
    use: lastEndedAtMs === null ? 'no repair has ended' : `the last one ended ${at(lastEndedAtMs)}`,
    slack: null,
    holds,
    untilMs: holds ? untilMs : null,
    remedy: 'an alert that fires again after that is repaired; or make guards.cooldown shorter',
  };
}

function maxRuns({ settings, startsMs }: MailboxFacts, nowMs: number): GuardStanding {
  const { count, windowMs } = settings.maxRuns;
  const used = startsMs.filter((start) => start > nowMs - windowMs).toSorted((a, b) => a - b);
  const holds = used.length >= count;
  const frees = used[used.length - count];
  return {
    guard: 'guards.maxRuns',
    limit: `${count} in ${durationText(windowMs)}`,
    use: `${used.length} started`,
    slack: holds ? 'none' : `${count - used.length} of ${count}`,
    holds,
    untilMs: holds && frees !== undefined ? frees + windowMs : null,
    remedy:
      'an alert that fires again after that is repaired; find out why repairs do not last, or raise guards.maxRuns',
  };
}

function flap({ settings, changes, flappingUntilMs }: MailboxFacts): readonly GuardStanding[] {
  const limit = settings.damping?.flap ?? null;
  if (limit === null) return [];
  const left = limit.changes - changes;
  return [
    {
      guard: 'guards.flap',
      limit: `${limit.changes} changes in ${durationText(limit.windowMs)}`,
      use: `${changes} changes`,
      slack: left > 0 ? `${left} of ${limit.changes}` : 'none',
      holds: flappingUntilMs !== null,
      untilMs: flappingUntilMs,
      remedy:
        'damp the alert where it comes from (for, keep_firing_for), or raise guards.flap.changes',
    },
  ];
}

const refusers: Readonly<Record<GuardRefusal['reason'], string>> = {
  flapping: 'guards.flap',
  maintenance: 'guards.maintenance',
  mass: 'guards.massHosts',
  stopped: 'control stop',
  breaker: 'guards.breaker',
};

const remedies: Readonly<Record<GuardRefusal['reason'], string>> = {
  flapping: 'damp the alert where it comes from, or raise guards.flap.changes',
  maintenance: 'an alert that fires after that is repaired; or take the window out of the policy',
  mass: 'look for what so many hosts share; an alert that fires after that is repaired',
  breaker:
    'see why its repairs fail; `fixpoint control breaker close` lets them start again before that',
  stopped: 'see `fixpoint control show`; an alert that fires after it is allowed is repaired',
};

/** Flapping is told above, with its count. */
function refused({ refused: refusal }: MailboxFacts): readonly GuardStanding[] {
  if (refusal === null || refusal.reason === 'flapping') return [];
  return [
    {
      guard: refusers[refusal.reason],
      limit: 'no repair starts',
      use: refusal.detail,
      slack: 'none',
      holds: true,
      untilMs: refusal.untilMs,
      remedy: remedies[refusal.reason],
    },
  ];
}
