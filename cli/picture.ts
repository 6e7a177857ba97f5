import { shortDigest } from '../domain/approval-digest.ts';
import { isFailedLetter, isSuccessLetter } from '../domain/batch-ledger.ts';
import { batchesInWords, domainInWords } from '../domain/plan-outlook.ts';
import { personInWords, standingInWords } from '../domain/remediation-details.ts';
import type { Progress } from './answers.ts';
import { isEnded } from './outcome.ts';
import { coloured } from './output.ts';
import { plainLine } from './plain-text.ts';
import type { Terminal } from './terminal.ts';

/** Hosts listed one by one; of more, only those that need a look. */
const hostsListedMax = 12;

const good: ReadonlySet<string> = new Set(['verified', 'resolved', 'superseded']);
const bad: ReadonlySet<string> = new Set(['failed', 'rolled_back', 'held', 'cancelled', 'expired']);

/** The state in the colour of its meaning. */
export function stateText(terminal: Terminal, state: string): string {
  const colour = good.has(state) ? 'green' : bad.has(state) ? 'red' : 'yellow';
  return coloured(terminal, colour, plainLine(state));
}

function lettersText(terminal: Terminal, letters: string): string {
  return letters.replace(/(.)\1*/g, (same) => {
    const letter = same.charAt(0);
    if (isSuccessLetter(letter)) return coloured(terminal, 'green', same);
    return isFailedLetter(letter) ? coloured(terminal, 'red', same) : same;
  });
}

/** A repair on one screen: its state, its alerts, each batch with a letter per host, the hosts. */
export function pictureOf(terminal: Terminal, progress: Progress): readonly string[] {
  const room = Math.max(20, terminal.columns - 34);
  const lines = [
    coloured(terminal, 'bold', plainLine(progress.remediationId)),
    `  state   ${stateText(terminal, progress.state)}${reasonText(progress)}`,
    `  policy  ${plainLine(progress.policy)}, runbook ${plainLine(progress.runbook)}`,
    `  alerts  ${alertsText(progress)}`,
  ];
  for (const step of progress.steps) {
    lines.push(`  step    ${plainLine(step.name)}`);
    for (const { batch, attempt, letters, probe } of step.batches) {
      const shown = letters.length > room ? `${letters.slice(0, room)}…` : letters;
      lines.push(
        `          batch ${batch}, attempt ${attempt}${probe ? ', probe' : ''}  ${lettersText(terminal, shown) || 'submitting'}`,
      );
    }
  }
  lines.push(
    ...outlookLines(progress),
    ...decisionLines(progress),
    ...hostLines(terminal, progress),
  );
  return lines;
}

/** What it would do, and what its guards allow. */
function outlookLines({ outlook, approval }: Progress): readonly string[] {
  if (outlook === undefined) return [];
  const plan = approval === undefined ? [] : [`  plan    ${shortDigest(approval.digest)}`];
  return [
    ...plan,
    ...outlook.steps.map(
      ({ name, batches }) => `  would   ${plainLine(name)}: ${batchesInWords(batches)}`,
    ),
    ...outlook.domains.map((domain) => `          ${plainLine(domainInWords(domain))}`),
  ];
}

/** Who decided what, and why. */
function decisionLines({ decisions = [] }: Progress): readonly string[] {
  return decisions.map(({ action, by, reason, at, claimed, via }, index) => {
    const who = personInWords({
      by,
      ...(claimed === undefined ? {} : { claimed }),
      ...(via === undefined ? {} : { via }),
    });
    const why = reason === '' ? '' : `, ${plainLine(reason)}`;
    const label = index === 0 ? '  decided ' : '          ';
    return `${label}${new Date(at).toISOString()} ${plainLine(who)}: ${plainLine(action)}${why}`;
  });
}

function reasonText(progress: Progress): string {
  return progress.reason === null || progress.reason === ''
    ? ''
    : `: ${plainLine(progress.reason)}`;
}

function alertsText(progress: Progress): string {
  const open = progress.episodes.filter((episode) => episode.open).length;
  const names = [...new Set(progress.episodes.map((episode) => plainLine(episode.name)))];
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return `${names.slice(0, 3).join(', ')}${more} (${open} open, ${progress.episodes.length - open} over)`;
}

function hostLines(terminal: Terminal, progress: Progress): string[] {
  const { targets } = progress;
  const listed =
    targets.length <= hostsListedMax
      ? targets
      : targets.filter((target) => isFailedLetter(target.letter)).slice(0, hostsListedMax);
  const lines = listed.map(({ agentId, name, ...standing }, at) => {
    const label = at === 0 ? '  hosts   ' : '          ';
    return `${label}${plainLine(name ?? agentId)}  ${lettersText(terminal, standing.letter)} ${plainLine(standingInWords(standing))}`;
  });
  if (listed.length < targets.length || targets.length === 0) {
    lines.push(`  hosts   ${progress.hosts} in all, ${progress.hostsFailed} failed`);
  }
  return lines;
}

/** What has changed between two looks, one line each, for a log or a pipe. */
export function changesBetween(before: Progress | null, now: Progress): readonly string[] {
  const entered =
    before?.state === now.state
      ? []
      : [`${plainLine(now.state)}${isEnded(now.state) ? reasonText(now) : ''}`];
  const lines: string[] = [];
  const known = new Map(
    (before?.steps ?? []).flatMap((step) =>
      step.batches.map(({ taskKey, letters }) => [taskKey, letters]),
    ),
  );
  for (const step of now.steps) {
    for (const { batch, attempt, letters, taskKey, probe } of step.batches) {
      if (known.get(taskKey) === letters) continue;
      lines.push(
        `step ${plainLine(step.name)}, batch ${batch}, attempt ${attempt}${probe ? ', probe' : ''}: ${letters || 'submitting'}`,
      );
    }
  }
  return isEnded(now.state) ? [...lines, ...entered] : [...entered, ...lines];
}
