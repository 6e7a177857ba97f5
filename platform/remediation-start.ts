import { TypedSearchAttributes } from '@temporalio/common';
import { type RemediationInput, taskQueues } from '../contracts/temporal.ts';
import { attributeKeys as keys } from './search-attributes.ts';

/** How Temporal is asked to start a remediation, whoever asks. */
export const startOptionsOf = (input: RemediationInput) => ({
  workflowId: input.remediationId,
  taskQueue: taskQueues.workflows,
  args: [input] as [RemediationInput],
  // One repair per id for ever: a repeated start after a crash meets the first (names 3).
  workflowIdReusePolicy: 'REJECT_DUPLICATE' as const,
  staticSummary: summaryOf(input),
  staticDetails: staticDetailsOf(input),
  typedSearchAttributes: attributesOf(input),
});

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
  if (input.trigger === 'manual') return short([input.runbook.name, startedBy(input)]);
  const more = input.episodes.length > 1 ? ` +${input.episodes.length - 1}` : '';
  return short([input.policy.name, `${first?.name ?? 'alert'}${more}`, host]);
}

const startedBy = ({ startedBy: name }: RemediationInput): string =>
  name === undefined ? 'by hand' : `by ${name}`;

const short = (parts: readonly (string | undefined)[]): string =>
  Array.from(
    parts
      .filter(Boolean)
      .join(' · ')
      .replace(/\p{Cc}/gu, ' '),
  )
    .slice(0, 60)
    .join('');

function staticDetailsOf(input: RemediationInput): string {
  const steps = input.runbook.steps
    .map(
      ({ name, script, contract }) =>
        `- step ${name} · ${contract} · \`${script.digest.slice(0, 19)}\``,
    )
    .join('\n');
  return `policy **${input.policy.name}** · runbook **${input.runbook.name}**\n\n${steps}`;
}
