import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import type { StartedWith } from '../activities/index.ts';
import type { GuardRefusal } from '../contracts/guard-refusal.ts';
import {
  type EpisodeChangedSignal,
  type RemediationEndedSignal,
  type RemediationInput,
  signalNames,
  workflowTypes,
} from '../contracts/temporal.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import { startOptionsOf } from '../platform/remediation-start.ts';
import { describeIfThere } from './running-repairs.ts';

/** Starts and tells remediations and mailboxes through Temporal. */
export function remediationStarter(of: {
  readonly client: Client;
  readonly crashPoints: CrashPoints<'workflows'>;
}): {
  /** A remediation of that id that exists already, closed or not, is no error. */
  start(input: RemediationInput): Promise<StartedWith>;
  /** Null if there is none of that id. */
  startedWith(remediationId: string): Promise<StartedWith | null>;
  tell(of: { remediationId: string } & EpisodeChangedSignal): Promise<void>;
  tellMailbox(mailboxId: string, signal: RemediationEndedSignal): Promise<void>;
} {
  const { client } = of;
  return {
    async start(input) {
      const started: StartedWith = {
        episodes: input.episodes.map(({ id }) => id),
        refusal: input.refusal ?? null,
      };
      of.crashPoints('before-start');
      try {
        await client.workflow.start(workflowTypes.remediation, {
          ...startOptionsOf(input),
          memo: started,
        });
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        return memoOf(await client.workflow.getHandle(input.remediationId).describe());
      }
      of.crashPoints('after-start');
      return started;
    },
    async startedWith(remediationId) {
      const found = await describeIfThere(client, remediationId);
      return found === null ? null : memoOf(found);
    },
    async tell({ remediationId, ...signal }) {
      of.crashPoints('before-tell');
      await ifOpen(
        client.workflow.getHandle(remediationId).signal(signalNames.episodeChanged, signal),
      );
      of.crashPoints('after-tell');
    },
    async tellMailbox(mailboxId, signal) {
      await ifOpen(
        client.workflow.getHandle(mailboxId).signal(signalNames.remediationEnded, signal),
      );
    },
  };
}

/** What `start` wrote; a version before this one wrote no refusal. */
const memoOf = ({
  memo,
}: {
  readonly memo?: Record<string, unknown> | undefined;
}): StartedWith => ({
  episodes: (memo?.['episodes'] as readonly string[] | undefined) ?? [],
  refusal: (memo?.['refusal'] as GuardRefusal | null | undefined) ?? null,
});

async function ifOpen(signalled: Promise<void>): Promise<void> {
  try {
    await signalled;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
