import { JobJournal, type Journal } from '../../agent/job-journal.ts';
import type { RecordBody } from '../../agent/journal-record.ts';
import { partsOfJobId } from '../../domain/ids.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';

/**
 * One agent's journal file under many agents: records of all of them share its fsync, as they
 * share a disk. Each sees its own jobs only. It starts empty and is of no use to a later process.
 */
export class SharedJournal {
  readonly #journal: JobJournal;
  readonly #onStored: (jobId: string) => void;

  /** `directory` must be new. `onStored` hears when an agent was told that a result is stored. */
  constructor(of: {
    readonly directory: string;
    readonly clock: Clock;
    readonly log: Log;
    readonly onStored: (jobId: string) => void;
  }) {
    this.#journal = JobJournal.open(of);
    this.#onStored = of.onStored;
  }

  /**
   * The journal as one agent sees it. Its sequence is that of all agents: it only grows, which is
   * what is asked of it (rule R16). Closing or retiring it does nothing to the others.
   */
  of(agentId: string): Journal {
    const all = this.#journal;
    const own = new Set<string>();
    const note = ({ kind, jobId }: RecordBody): void => {
      own.add(jobId);
      if (kind === 'stored') this.#onStored(jobId);
    };
    return {
      get sequence() {
        return all.sequence;
      },
      entry: (jobId) => (partsOfJobId(jobId)?.agentId === agentId ? all.entry(jobId) : undefined),
      entries: () => [...own].flatMap((jobId) => all.entry(jobId) ?? []),
      append(body) {
        note(body);
        return all.append(body);
      },
      write(body) {
        note(body);
        all.write(body);
      },
      record(body) {
        note(body);
        return all.record(body);
      },
      retire() {},
      async close() {},
    };
  }

  /** Waits for what is being written; after all agents have stopped. */
  close(): Promise<void> {
    return this.#journal.close();
  }
}
