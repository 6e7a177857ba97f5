import { type Figures, figuresOf, rounded } from './figures.ts';

/**
 * When one alert passed each mark on its way to a process; Unix milliseconds of one machine. The
 * api's, the gateway's and the agents' own marks are whole milliseconds, the others finer.
 */
export type Passage = {
  readonly sent: number;
  /** The sender has its 200. Beside the path: the dispatcher does not wait for it. */
  readonly answered: number;
  readonly received: number;
  readonly signalled: number;
  readonly remediation: number;
  readonly submitScheduled: number;
  readonly submitStarted: number;
  readonly accepted: number;
  readonly journalled: number;
  readonly spawned: number;
  readonly running: number;
  /** The repair is verified and its workflow closed. */
  readonly closed: number;
};

type Stage = { readonly from: keyof Passage; readonly to: keyof Passage; readonly what: string };

/** The path of an alert, in order: each stage begins where the one before ends. */
const path: readonly Stage[] = [
  { from: 'sent', to: 'received', what: 'post → api has the body' },
  { from: 'received', to: 'signalled', what: 'kept, read, signalled to its mailbox' },
  { from: 'signalled', to: 'remediation', what: 'mailbox decides, starts the remediation' },
  { from: 'remediation', to: 'submitScheduled', what: 'first workflow task: planned, admitted' },
  { from: 'submitScheduled', to: 'submitStarted', what: 'submit waits for its worker' },
  { from: 'submitStarted', to: 'accepted', what: 'submit → gateway keeps the task' },
  { from: 'accepted', to: 'journalled', what: 'dispatched → agent writes the intent' },
  { from: 'journalled', to: 'spawned', what: 'fsync, job folder, spawn' },
  { from: 'spawned', to: 'running', what: 'helper → first word of the script' },
];

export type StageFigures = Figures & { readonly stage: string; readonly share: number };

/** Every stage over all passages, with its share of the mean way to a process. */
export function stagesOf(passages: readonly Passage[]): readonly StageFigures[] {
  const whole = figuresOf(passages.map(({ sent, running }) => running - sent)).mean;
  return path.map(({ from, to, what }) => {
    const figures = figuresOf(passages.map((passage) => passage[to] - passage[from]));
    return { stage: what, ...figures, share: rounded(figures.mean / whole) };
  });
}

/** The slowest way to a process of all, in milliseconds by stage. */
export function slowestOf(passages: readonly Passage[]): Readonly<Record<string, number>> {
  const wayMs = ({ sent, running }: Passage): number => running - sent;
  const slowest = passages.reduce((worst, each) => (wayMs(each) > wayMs(worst) ? each : worst));
  return Object.fromEntries(
    path.map(({ from, to, what }) => [what, rounded(slowest[to] - slowest[from])]),
  );
}
