import type { OperatorDecision, RemediationProgress } from '../contracts/temporal.ts';
import { answersInMarkdown } from './approval-words.ts';
import type { HostStanding } from './host-standing.ts';
import { batchesInWords, domainInWords } from './plan-outlook.ts';

/** Temporal UI draws tables without any space between columns. */
const gap = '\u00a0\u00a0\u00a0';

/** Rows of the table: Temporal keeps 20,000 bytes of details. */
export const detailRowsMax = 60;

/** A letter in words, for people (names 5). */
export const letterWords: Readonly<Record<string, string>> = {
  s: 'succeeded',
  p: 'succeeded earlier',
  f: 'failed',
  t: 'timed out',
  c: 'cancelled',
  r: 'refused',
  e: 'expired',
  u: 'unknown',
  x: 'unreachable',
  n: 'not enrolled',
  k: 'skipped (resolved)',
  h: 'not admitted',
  '.': 'running',
};

/** What became of a host, in words: with the step, where it is not the last one that was begun. */
export function standingInWords({ letter, step }: HostStanding): string {
  const word = letterWords[letter] ?? letter;
  return step === undefined ? word : `${word} (${step === 'verify' ? step : `only ${step}`})`;
}

/** A remediation as Markdown for Temporal UI: what it is about, then a table of hosts and states. */
export function detailsOf(progress: RemediationProgress): string {
  // What it waits for stands below, whole.
  const isAsking = progress.state === 'awaiting_approval' && progress.approval !== undefined;
  const reason = progress.reason && !isAsking ? ` · ${cell(progress.reason)}` : '';
  const head = `**${progress.state}**${reason} · policy ${progress.policy} · runbook ${progress.runbook} · ${progress.hosts} hosts, ${progress.hostsFailed} failed`;
  const alerts = progress.episodes
    .slice(0, 10)
    .map(({ id, name, open }) => `- ${cell(name)} \`${cell(id)}\` ${open ? 'firing' : 'resolved'}`);
  const batches = progress.steps.flatMap(({ name, batches: rows }) =>
    rows
      .slice(-10)
      .map(
        ({ batch, attempt, letters, probe }) =>
          `- ${name} · batch ${batch} · attempt ${attempt}${probe ? ' · probe' : ''}: \`${letters.slice(0, 80) || '…'}\``,
      ),
  );
  const rows = progress.targets
    .slice(0, detailRowsMax)
    .map(
      ({ agentId, name, ...standing }) =>
        `| ${cell(name ?? agentId)}${gap} | ${agentId}${gap} | ${standingInWords(standing)} |`,
    );
  const rest = progress.hosts - rows.length;
  return [
    head,
    '',
    ...approvalLines(progress),
    ...outlookLines(progress),
    ...decisionsOf(progress),
    // Temporal UI makes one list of two that follow one another.
    ...(progress.outlook === undefined ? [] : ['**Alerts**', '']),
    ...alerts,
    '',
    ...batches,
    '',
    ...(rows.length > 0 ? ['| host | agent | state |', '| --- | --- | --- |', ...rows] : []),
    ...(rest > 0 ? ['', `and ${rest} more hosts`] : []),
  ].join('\n');
}

/** Whom it waits for, and how to answer. */
function approvalLines({ state, reason, approval, remediationId }: RemediationProgress) {
  if (state !== 'awaiting_approval' || approval === undefined) return [];
  const lines = answersInMarkdown(remediationId, approval);
  return [...(reason === null ? [] : [plainText(reason)]), '', ...lines, ''];
}

/** What it would do. */
function outlookLines({ outlook }: RemediationProgress): readonly string[] {
  if (outlook === undefined) return [];
  return [
    '**What it would do**',
    '',
    ...outlook.steps.map(({ name, batches }) => `- ${name}: ${batchesInWords(batches)}`),
    ...outlook.domains.slice(0, 20).map((domain) => `- ${cell(domainInWords(domain))}`),
    '',
  ];
}

/** Who decided what; the newest ten. */
function decisionsOf({ decisions = [] }: RemediationProgress): readonly string[] {
  const rows = decisions
    .slice(-10)
    .map(
      ({ action, reason, at, ...decision }) =>
        `| ${new Date(at).toISOString()}${gap} | ${cell(personInWords(decision))}${gap} | ${action}${gap} | ${cell(reason)} |`,
    );
  if (rows.length === 0) return [];
  return ['| when | who | what | why |', '| --- | --- | --- | --- |', ...rows, ''];
}

/** Who decided: a credential's name, the name claimed beside it, or what was typed in Temporal. */
export function personInWords(of: Pick<OperatorDecision, 'by' | 'claimed' | 'via'>): string {
  if (of.via === 'temporal') return `${of.by} (typed in Temporal)`;
  return of.claimed === undefined ? of.by : `${of.by} (says: ${of.claimed})`;
}

/** Few hosts by name, many by number: what labels a bar of Temporal UI's timeline (names 3). */
export function hostsInWords(
  targets: readonly { readonly agentId: string; readonly name?: string }[],
): string {
  if (targets.length > namedMax) return `${targets.length} hosts`;
  return targets.map(({ agentId, name }) => short(name ?? agentId)).join(', ');
}

/** Few alerts by name, many by number. */
export function alertsInWords(episodes: readonly { readonly name: string }[]): string {
  const names = [...new Set(episodes.map(({ name }) => name))];
  const word = episodes.length === 1 ? 'alert' : 'alerts';
  if (names.length > namedMax) return `${episodes.length} alerts`;
  return `${episodes.length} ${word} ${names.map(short).join(', ')}`;
}

/** Hosts or alerts that a summary names; it holds 120 characters that a person sees. */
const namedMax = 3;

const short = (text: string): string =>
  Array.from(text.replace(/\p{Cc}/gu, ' '))
    .slice(0, 24)
    .join('');

/** Text of an alert inside Markdown: nothing in it may become markup. */
const cell = (text: string): string => plainText(text.slice(0, 120));

const plainText = (text: string): string =>
  text.replace(/[\r\n]+/g, ' ').replace(/[|`*_[\]<>\\]/g, (mark) => `\\${mark}`);
