import type { MailboxActivities } from '../contracts/activities.ts';
import type { FrozenPolicy, FrozenRunbook } from '../contracts/frozen.ts';
import type { GuardRefusal } from '../contracts/guard-refusal.ts';
import type { Clocks } from '../contracts/limits.ts';
import type { MailboxSettings, RemediationInput } from '../contracts/temporal.ts';

/** What a policy says now; a repair takes a copy. */
export type CurrentPolicy = {
  readonly policy: FrozenPolicy;
  readonly settings: MailboxSettings;
  readonly runbook: FrozenRunbook;
};

/** What a remediation of that id was started with, now or before. */
export type StartedWith = {
  readonly episodes: readonly string[];
  readonly refusal: GuardRefusal | null;
};

/** `canary`: only to try on one host, whose outcome decides about others. */
export type GuardAnswer = GuardRefusal | 'go' | 'canary';

export type StartDeps = {
  readonly findPolicy: (name: string) => CurrentPolicy | undefined;
  /** What the guards say of starting this repair now; asked again for it they say the same. */
  readonly guards: (of: {
    readonly policy: string;
    readonly remediationId: string;
  }) => Promise<GuardAnswer>;
  /** A remediation of that id that exists already, closed or not, is no error. */
  readonly start: (input: RemediationInput) => Promise<StartedWith>;
  /** Null if there is no remediation of that id. */
  readonly startedWith: (remediationId: string) => Promise<StartedWith | null>;
  readonly tell: MailboxActivities['tellRemediation'];
  readonly clocks: Clocks;
  readonly callbackUrl: string;
};

/** The mailbox's local activities. Both may be repeated. A start that a guard refuses is told by a remediation. */
export function mailboxActivities(deps: StartDeps): MailboxActivities {
  return {
    async startRemediation({ policy, refusal: own, told, ...of }) {
      const current = deps.findPolicy(policy);
      if (current === undefined) return { kind: 'policy_gone' };
      const { settings, runbook } = current;
      const { remediationId } = of;
      const answer = own ?? (await deps.guards({ policy, remediationId }));
      const refusal = typeof answer === 'string' ? null : answer;
      // Made again after a crash, the first making decides: the guards may say otherwise by now.
      if (refusal !== null && isTold(refusal, told)) {
        const first = await deps.startedWith(remediationId);
        return first === null ? { kind: 'refused', settings, refusal } : answerOf(first, settings);
      }
      const started = await deps.start({
        ...of,
        trigger: 'alert',
        policy: current.policy,
        runbook,
        clocks: deps.clocks,
        callbackUrl: deps.callbackUrl,
        ...(refusal === null ? {} : { refusal }),
        ...(answer === 'canary' ? { canaryOnly: true } : {}),
      });
      return answerOf(started, settings);
    },
    tellRemediation: (input) => deps.tell(input),
  };
}

type Answer = Awaited<ReturnType<MailboxActivities['startRemediation']>>;

const answerOf = ({ episodes, refusal }: StartedWith, settings: MailboxSettings): Answer =>
  refusal === null
    ? { kind: 'started', settings, episodes }
    : { kind: 'refused', settings, refusal };

/** Whether people can read of it already, so that no further remediation needs to say so. */
const isTold = (refusal: GuardRefusal, told: GuardRefusal | undefined): boolean =>
  refusal.isTold === true || told?.reason === refusal.reason;
