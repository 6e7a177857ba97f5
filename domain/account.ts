import { namesInWords } from './names-in-words.ts';
import { letterWords } from './remediation-details.ts';

/** What is known of a repair that ended. */
export type Told = {
  readonly state: string;
  readonly reason: string | null;
  readonly policy: string;
  readonly runbook: string;
  readonly episodes: readonly { readonly name: string }[];
  readonly targets: readonly { readonly agentId: string; readonly name?: string }[];
  /** Steps in the order in which they began, with a letter a host. */
  readonly letters: Readonly<Record<string, string>>;
};

const reasonMax = 600;

/**
 * A repair in one paragraph: what fired, what was done on how many hosts, what was found, what was
 * undone, and what to do now. For people only: nothing may depend on its words.
 */
export function accountOf(told: Told): string {
  return [fired(told), ...done(told), ended(told), whatToDo(told)].join(' ');
}

function fired({ episodes, policy, runbook }: Told): string {
  const names = [...new Set(episodes.map(({ name }) => name))];
  const what = namesInWords(names, 'alerts');
  const count = episodes.length > 1 ? ` (${episodes.length} alerts)` : '';
  return `${what}${count} fired, and policy ${policy} took it for runbook ${runbook}.`;
}

function done({ letters, targets }: Told): readonly string[] {
  const steps = Object.entries(letters).filter(([, row]) => /[^h]/.test(row));
  if (steps.length === 0) return ['Nothing was run.'];
  return steps.map(([name, row]) => {
    const subject =
      name === 'verify'
        ? 'The proof'
        : name.startsWith('undo-')
          ? `Undoing ${name.slice('undo-'.length)}`
          : `Step ${name}`;
    return `${subject}: ${outcomes(row, targets)}.`;
  });
}

/** `2 succeeded, 1 failed (web3)`; hosts are named where it did not go well. */
function outcomes(row: string, targets: Told['targets']): string {
  const byLetter = new Map<string, number[]>();
  for (const [position, letter] of [...row].entries()) {
    byLetter.set(letter, [...(byLetter.get(letter) ?? []), position]);
  }
  return [...byLetter]
    .filter(([letter]) => letter !== 'h')
    .map(([letter, positions]) => {
      const words = `${positions.length} ${letterWords[letter] ?? letter}`;
      if ('spk'.includes(letter)) return words;
      const names = positions.map((at) => targets[at]?.name ?? targets[at]?.agentId ?? '');
      return `${words} (${namesInWords(names, 'hosts')})`;
    })
    .join(', ');
}

const ended = ({ state, reason }: Told): string =>
  `It ended ${state}${reason === null ? '' : `: ${reason.slice(0, reasonMax)}`}.`;

function whatToDo({ state }: Told): string {
  switch (state) {
    case 'rolled_back':
      return 'The steps were taken back, so the alert is likely to go on: look for its cause.';
    case 'expired':
      return 'Nobody answered in time, and nothing was done: look whether it is still needed.';
    case 'held':
      return 'Nothing was done: remove what it says, or repair by hand.';
    default:
      return 'Hosts may be half repaired: look at those named, then at the cause.';
  }
}
