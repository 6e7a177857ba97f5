import { existsSync, readFileSync } from 'node:fs';
import { type JournalFrame, readJournal } from './journal-frames.ts';

/** One start of a script, as the script itself wrote it down on its host. */
export type Start = {
  readonly kind: string;
  readonly case: string;
  readonly jobId: string;
  readonly attempt: number;
  readonly pid: number;
  /** Unix milliseconds. */
  readonly at: number;
};

/** What one host can show for itself. */
export type HostRecords = {
  readonly name: string;
  readonly agentId: string;
  readonly starts: readonly Start[];
  readonly journal: readonly JournalFrame[];
};

/**
 * What every script that is judged begins with: a line in one write, so that two starts at once
 * are two lines. Expects `DEMO_DIR` and its case as the first argument.
 */
export const evidenceLine = (kind: string): string =>
  `echo "${kind} $1 $FIXPOINT_JOB_ID $FIXPOINT_ATTEMPT $$ $(date +%s%3N)" >> "$DEMO_DIR/starts"`;

/** Reads a host's evidence and journal; what is older than `sinceMs` is left out. */
export function readHost(of: {
  readonly name: string;
  readonly agentId: string;
  readonly evidenceFile: string;
  readonly journalFolder: string;
  readonly sinceMs: number;
}): HostRecords {
  const journal = readJournal(of.journalFolder);
  const recent = new Set(journal.flatMap(({ at, jobId }) => (at >= of.sinceMs ? [jobId] : [])));
  return {
    name: of.name,
    agentId: of.agentId,
    starts: readStarts(of.evidenceFile).filter(({ at }) => at >= of.sinceMs),
    journal: journal.filter(({ jobId }) => recent.has(jobId)),
  };
}

/** The starts in an evidence file, in the order they were written. */
export function readStarts(file: string): readonly Start[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [kind = '', name = '', jobId = '', attempt, pid, at] = line.split(' ');
      return {
        kind,
        case: name,
        jobId,
        attempt: Number(attempt),
        pid: Number(pid),
        at: Number(at),
      };
    });
}
