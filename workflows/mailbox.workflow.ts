import {
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { GuardRefusal } from '../contracts/guard-refusal.ts';
import type { GuardStanding } from '../contracts/guard-standing.ts';
import { limits } from '../contracts/limits.ts';
import {
  type AlertsSignal,
  type Episode,
  type MailboxInput,
  queryNames,
  type RemediationEndedSignal,
  signalNames,
  workflowIds,
} from '../contracts/temporal.ts';
import { MailboxState } from '../domain/mailbox.ts';
import type { MailboxMemory } from '../domain/mailbox-memory.ts';
import { local } from './activity-proxies.ts';

export const alertsSignal = defineSignal<[AlertsSignal]>(signalNames.alerts);
export const remediationEndedSignal = defineSignal<[RemediationEndedSignal]>(
  signalNames.remediationEnded,
);
export const episodesQuery = defineQuery<readonly Episode[]>(queryNames.episodes);
export const guardsQuery = defineQuery<readonly GuardStanding[], [number]>(queryNames.guards);

/**
 * The memory of one policy's group (design 3): folds alerts into episodes, keeps the cooldown and
 * `maxRuns`, starts one remediation at a time with a frozen input, and lingers after the last one
 * so that a repeated delivery meets it (rule R2). Its whole state is in `MailboxState`.
 *
 * Closing loses nothing (rule R15): handlers only put into the inbox, and between the last look
 * into it and `return` or `continueAsNew` there is no `await`.
 */
export async function mailbox(input: MailboxInput): Promise<void> {
  const state = new MailboxState({
    settings: input.settings,
    carried: input.carried as MailboxMemory | undefined, // Only this workflow writes it.
  });
  const inbox: AlertsSignal[] = [];
  const ended: RemediationEndedSignal[] = [];
  let signals = 0;
  const alarm = new Alarm();
  setHandler(alertsSignal, (signal) => {
    inbox.push(signal);
    signals += 1;
  });
  setHandler(remediationEndedSignal, (signal) => {
    ended.push(signal);
    signals += 1;
  });
  setHandler(episodesQuery, () => state.openEpisodes());
  setHandler(guardsQuery, (nowMs) => state.guards(nowMs));
  const isFull = () => {
    const { historyLength, continueAsNewSuggested } = workflowInfo();
    const isLong = signals >= state.settings.signalsMax || historyLength >= limits.mailboxEventsMax;
    // Full signals fill a history's bytes long before its events.
    return isLong || continueAsNewSuggested;
  };

  for (;;) {
    await drain({ state, inbox, ended });
    const decision = state.decide(Date.now());
    setCurrentDetails(state.describe(Date.now()));
    if (decision.kind === 'start') {
      await startRepair(input, state, decision.episodes);
      continue;
    }
    if (decision.kind === 'refuse') {
      const { episodes, refusal } = decision;
      await tellRefusal(input, state, { episodes, refusal });
      continue;
    }
    if (inbox.length > 0 || ended.length > 0) continue;
    if (isFull()) return continueAsNew<typeof mailbox>(carry(input, state));
    if (decision.kind === 'close') return;
    if (decision.untilMs !== null) alarm.arm(decision.untilMs, decision.why);
    await condition(() => inbox.length > 0 || ended.length > 0 || alarm.rang());
    alarm.silence();
  }
}

/**
 * Wakes the mailbox no later than it asked for. A timer that rings earlier than the latest wish is
 * kept, because every timer costs history: the mailbox then just decides again.
 */
class Alarm {
  #pendingAtMs: number | undefined;
  #rang = false;

  arm(atMs: number, why: string): void {
    if (this.#pendingAtMs !== undefined && this.#pendingAtMs <= atMs) return;
    this.#pendingAtMs = atMs;
    // Never awaited, so it must not reject: the timer of a closing workflow just disappears.
    void sleep(Math.max(1, atMs - Date.now()), { summary: why }).then(
      () => {
        if (this.#pendingAtMs !== atMs) return;
        this.#pendingAtMs = undefined;
        this.#rang = true;
      },
      () => undefined,
    );
  }

  rang(): boolean {
    return this.#rang;
  }

  silence(): void {
    this.#rang = false;
  }
}

const carry = (input: MailboxInput, state: MailboxState): MailboxInput => ({
  ...input,
  settings: state.settings,
  carried: state.carried(),
});

async function drain(of: {
  readonly state: MailboxState;
  readonly inbox: AlertsSignal[];
  readonly ended: RemediationEndedSignal[];
}): Promise<void> {
  const { state, inbox, ended } = of;
  for (const signal of ended.splice(0)) state.repairEnded(signal, Date.now());
  const closed: string[] = [];
  for (const { alerts } of inbox.splice(0)) closed.push(...state.take(alerts, Date.now()));
  const words = state.wordsForRepair(closed, Date.now());
  if (words !== null) await local.tellRemediation(words);
}

type Due = {
  readonly episodes: readonly Episode[];
  readonly refusal?: GuardRefusal;
  readonly told?: GuardRefusal;
};

async function startRepair(
  input: MailboxInput,
  state: MailboxState,
  episodes: readonly Episode[],
): Promise<void> {
  const remediationId = nextRepair(input, state);
  state.repairStarts({ remediationId, nowMs: Date.now() });
  const told = state.toldRefusal(Date.now());
  const due: Due = { episodes, ...(told === null ? {} : { told }) };
  const outcome = await start(input, remediationId, due);
  if (outcome.kind === 'policy_gone') {
    state.repairEnded({ remediationId, state: 'held' }, Date.now());
    return;
  }
  state.useSettings(outcome.settings);
  if (outcome.kind === 'refused') {
    state.startRefused({ refusal: outcome.refusal, episodes, nowMs: Date.now() });
  } else state.repairCovers({ remediationId, episodes: outcome.episodes });
}

/** Has a remediation say why nothing is started: it is where people look, and it is audited. */
async function tellRefusal(input: MailboxInput, state: MailboxState, due: Due): Promise<void> {
  const outcome = await start(input, nextRepair(input, state), due);
  if (outcome.kind !== 'policy_gone') state.useSettings(outcome.settings);
  state.flappingTold();
}

const nextRepair = (input: MailboxInput, state: MailboxState): string =>
  workflowIds.remediation({
    policy: input.policy,
    groupId: input.groupId,
    run: workflowInfo().firstExecutionRunId,
    n: state.nextNumber(),
  });

const start = (input: MailboxInput, remediationId: string, due: Due) =>
  local.startRemediation({
    policy: input.policy,
    remediationId,
    mailboxId: workflowInfo().workflowId,
    groupId: input.groupId,
    ...due,
  });
