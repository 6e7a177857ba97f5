import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import {
  defineSearchAttributeKey,
  SearchAttributeType,
  TypedSearchAttributes,
} from '@temporalio/common';
import type { StartedWith } from '../activities/index.ts';
import type { GuardRefusal } from '../contracts/guard-refusal.ts';
import {
  type EpisodeChangedSignal,
  type RemediationEndedSignal,
  type RemediationInput,
  signalNames,
  taskQueues,
  workflowTypes,
} from '../contracts/temporal.ts';
import type { CrashPoints } from '../platform/crash-point.ts';

const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
const keys = {
  state: keyword('FixpointState'),
  policy: keyword('FixpointPolicy'),
  runbook: keyword('FixpointRunbook'),
  group: keyword('FixpointGroup'),
  severity: keyword('FixpointSeverity'),
  trigger: keyword('FixpointTrigger'),
};

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
          workflowId: input.remediationId,
          taskQueue: taskQueues.workflows,
          args: [input],
          // One repair per id for ever: a repeated start after a crash meets the first (names 3).
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          staticSummary: summaryOf(input),
          staticDetails: staticDetailsOf(input),
          typedSearchAttributes: attributesOf(input),
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
      try {
        return memoOf(await client.workflow.getHandle(remediationId).describe());
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return null;
        throw error;
      }
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

function attributesOf(input: RemediationInput): TypedSearchAttributes {
  const severity = input.episodes[0]?.severity ?? '';
  return new TypedSearchAttributes([
    { key: keys.state, value: 'planning' },
    { key: keys.policy, value: input.policy.name },
    { key: keys.runbook, value: input.runbook.name },
    { key: keys.group, value: input.groupId },
    { key: keys.trigger, value: input.trigger },
    ...(severity === '' ? [] : [{ key: keys.severity, value: severity.slice(0, 200) }]),
  ]);
}

/** One line in Temporal UI's list; at most 200 bytes are sure to be kept (temporal.md 4). */
function summaryOf(input: RemediationInput): string {
  const [first] = input.episodes;
  const label = input.policy.targets.from?.label;
  const host = first?.labels.find(([name]) => name === label)?.[1];
  const more = input.episodes.length > 1 ? ` +${input.episodes.length - 1}` : '';
  const text = [input.policy.name, `${first?.name ?? 'alert'}${more}`, host]
    .filter(Boolean)
    .join(' · ');
  return Array.from(text.replace(/\p{Cc}/gu, ' '))
    .slice(0, 60)
    .join('');
}

function staticDetailsOf(input: RemediationInput): string {
  const steps = input.runbook.steps
    .map(
      ({ name, script, contract }) =>
        `- step ${name} · ${contract} · \`${script.digest.slice(0, 19)}\``,
    )
    .join('\n');
  return `policy **${input.policy.name}** · runbook **${input.runbook.name}**\n\n${steps}`;
}
