import type { OutputStream } from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import type { Executor } from './executor.ts';
import type { OutputSizes } from './job-folder.ts';
import type { Journal } from './job-journal.ts';
import type { AgentState } from './state-directory.ts';

export type JobOutputDeps = {
  readonly journal: Pick<Journal, 'entry'>;
  readonly state: Pick<AgentState, 'jobFolder'>;
  readonly executor: Pick<Executor, 'visible'>;
};

/** How far a job's output may be read, and whether that is all of it. */
export type Readable = { readonly sizes: OutputSizes; readonly isEnded: boolean };

/** What jobs of this host wrote, from their folders, never with a secret in it (invariant 10). */
export class JobOutput {
  readonly #deps: JobOutputDeps;

  constructor(deps: JobOutputDeps) {
    this.#deps = deps;
  }

  /** Null for a job that neither runs here nor has ended here. */
  readable(jobId: string): Readable | null {
    const report = this.#deps.journal.entry(jobId)?.report;
    if (report !== undefined) {
      return { sizes: { stdout: report.stdoutBytes, stderr: report.stderrBytes }, isEnded: true };
    }
    const sizes = this.#deps.executor.visible(jobId);
    return sizes === null ? null : { sizes, isEnded: false };
  }

  /** Throws if the files are gone from the disk. */
  read(
    jobId: string,
    of: {
      readonly readable: Readable;
      readonly stream: OutputStream;
      readonly offset: number;
      readonly bytes: number;
    },
  ): Buffer {
    const { readable, ...range } = of;
    return this.#deps.state.jobFolder(jobId).read({
      ...range,
      size: readable.sizes[of.stream],
      isSealed: readable.isEnded,
    });
  }
}

/**
 * Where the tail of each stream begins: both together within `outputTailBytes`, each with half of it
 * and what the other leaves (rule X11). Streams that fit have no bytes between head and tail.
 */
export function tailStarts(sizes: OutputSizes): OutputSizes {
  const { outputHeadBytes: head, outputTailBytes: both } = limits;
  const stdoutRest = Math.max(0, sizes.stdout - head);
  const stderrRest = Math.max(0, sizes.stderr - head);
  const stdoutTail = Math.min(stdoutRest, Math.max(both / 2, both - stderrRest));
  const stderrTail = Math.min(stderrRest, both - stdoutTail);
  return { stdout: sizes.stdout - stdoutTail, stderr: sizes.stderr - stderrTail };
}
