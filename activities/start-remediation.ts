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
  readonly start: (input: RemediationInput) => Promise<StartedWith>;
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
      const started = await deps.start({
        ...of,
        trigger: 'alert',
        policy: current.policy,
        runbook,
        clocks: deps.clocks,
        callbackUrl: deps.callbackUrl,
        ...(refusal === null ? {} : { refusal }),
      });
      return started.refusal === null
        ? { kind: 'started', settings, episodes: started.episodes }
        : { kind: 'refused', settings, refusal: started.refusal };
    },
    tellRemediation: (input) => deps.tell(input),
  };
}
