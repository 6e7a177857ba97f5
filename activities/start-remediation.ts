import type { FrozenPolicy, FrozenRunbook } from '../contracts/frozen.ts';
import type { GuardRefusal } from '../contracts/guard-refusal.ts';
import type { Clocks } from '../contracts/limits.ts';
import type {
  MailboxActivities,
  MailboxSettings,
  RemediationInput,
} from '../contracts/temporal.ts';

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

export type StartDeps = {
  readonly findPolicy: (name: string) => CurrentPolicy | undefined;
  /** What keeps every repair of the policy from starting now; null if nothing does. */
  readonly refusalOf: (policy: string) => Promise<GuardRefusal | null>;
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
    async startRemediation({ policy, refusal: own, ...of }) {
      const current = deps.findPolicy(policy);
      if (current === undefined) return { kind: 'policy_gone' };
      const { settings, runbook } = current;
      const refusal = own ?? (await deps.refusalOf(policy));
      // Made again after a crash, the first making decides: the guards may say otherwise by now.
      if (refusal?.isTold) {
        const first = await deps.startedWith(of.remediationId);
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
