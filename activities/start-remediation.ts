import type { Clocks } from '../contracts/limits.ts';
import type {
  FrozenPolicy,
  FrozenRunbook,
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

export type StartDeps = {
  readonly findPolicy: (name: string) => CurrentPolicy | undefined;
  /**
   * Starts a remediation; one of that id that exists already, closed or not, is no error. Answers
   * the ids of the episodes it was started with.
   */
  readonly start: (input: RemediationInput) => Promise<readonly string[]>;
  readonly tell: MailboxActivities['tellRemediation'];
  readonly clocks: Clocks;
  readonly callbackUrl: string;
};

/** The mailbox's local activities. Both may be repeated. */
export function mailboxActivities(deps: StartDeps): MailboxActivities {
  return {
    async startRemediation({ policy, ...of }) {
      const current = deps.findPolicy(policy);
      if (current === undefined) return { kind: 'policy_gone' };
      const episodes = await deps.start({
        ...of,
        trigger: 'alert',
        policy: current.policy,
        runbook: current.runbook,
        clocks: deps.clocks,
        callbackUrl: deps.callbackUrl,
      });
      return { kind: 'started', settings: current.settings, episodes };
    },
    tellRemediation: (input) => deps.tell(input),
  };
}
