import type { AgentFrame, OutputFrame, OutputStream } from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import type { Executor } from './executor.ts';
import type { JobFolder, OutputSizes } from './job-folder.ts';
import type { Journal } from './job-journal.ts';
import type { AgentState } from './state-directory.ts';

/** The open session as those who speak see it. */
export type Link = {
  readonly isOpen: boolean;
  send(frame: AgentFrame): void;
  sendOutput(frame: OutputFrame): void;
  /** Bytes handed over that the socket has not taken. */
  readonly backlogBytes: number;
};

export type SpoolDeps = {
  readonly journal: Pick<Journal, 'entry'>;
  readonly state: Pick<AgentState, 'jobFolder'>;
  readonly executor: Pick<Executor, 'visible'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly crashAt: CrashPoints<'agent'>;
};

type Sending = {
  readonly jobId: string;
  stdout: number;
  stderr: number;
  isBusy: boolean;
  /** Something changed while it was busy. */
  isStale: boolean;
  isOver: boolean;
};

/** Above it the spool waits for the socket: pings must not queue behind output. */
const backlogBytesMax = 512 * 1024;
const backlogLookMs = 20;
const streams: readonly OutputStream[] = ['stdout', 'stderr'];

/**
 * Sends output and results over one session. Of each job all output comes before its result, each
 * stream in order and without gaps, from the offset that the gateway named. Files are the store:
 * a spool holds offsets only.
 */
export class OutputSpool {
  readonly #deps: SpoolDeps;
  readonly #link: Link;
  readonly #sendings = new Map<string, Sending>();

  constructor(deps: SpoolDeps, link: Link) {
    this.#deps = deps;
    this.#link = link;
  }

  /** Whether the job's output is being sent, or its result was, on this session. */
  has(jobId: string): boolean {
    return this.#sendings.has(jobId);
  }

  /**
   * Sends from `have` on. A job that is being sent already goes on where it is, or from `have` if
   * the gateway has lost some: it ignores what comes twice.
   */
  begin(jobId: string, have: OutputSizes): void {
    const current = this.#sendings.get(jobId);
    if (current === undefined || current.isOver) {
      this.#sendings.set(jobId, { jobId, ...have, isBusy: false, isStale: false, isOver: false });
    } else {
      for (const stream of streams) current[stream] = Math.min(current[stream], have[stream]);
    }
    this.pump(jobId);
  }

  /** The gateway stored the result: nothing of the job is kept for this session any more. */
  forget(jobId: string): void {
    if (this.#sendings.get(jobId)?.isOver) this.#sendings.delete(jobId);
  }

  /** More output, or the outcome, is there. Does nothing for a job that was not begun. */
  pump(jobId: string): void {
    const sending = this.#sendings.get(jobId);
    if (sending === undefined || sending.isOver) return;
    if (sending.isBusy) {
      sending.isStale = true;
      return;
    }
    sending.isBusy = true;
    sending.isStale = false;
    this.#send(sending)
      .catch((error: unknown) => {
        this.#deps.log.error({ error, jobId }, 'output cannot be sent');
      })
      .finally(() => {
        sending.isBusy = false;
        if (sending.isStale) this.pump(jobId);
      });
  }

  async #send(sending: Sending): Promise<void> {
    const { jobId } = sending;
    while (this.#link.isOpen) {
      if (this.#link.backlogBytes > backlogBytesMax) {
        await this.#deps.clock.sleep(backlogLookMs);
        continue;
      }
      if (this.#sendPiece(sending)) continue;
      const report = this.#deps.journal.entry(jobId)?.report;
      if (report === undefined) return;
      sending.isOver = true;
      this.#deps.crashAt('before-result');
      this.#link.send({ type: 'result', jobId, report });
      this.#deps.crashAt('after-result');
      return;
    }
  }

  /** Sends one piece; false if there is none by now. */
  #sendPiece(sending: Sending): boolean {
    const { jobId } = sending;
    const report = this.#deps.journal.entry(jobId)?.report;
    const sizes =
      report === undefined
        ? this.#deps.executor.visible(jobId)
        : { stdout: report.stdoutBytes, stderr: report.stderrBytes };
    if (sizes === null) return false;
    const folder = this.#deps.state.jobFolder(jobId);
    for (const stream of streams) {
      const data = this.#read(folder, {
        stream,
        offset: sending[stream],
        bytes: limits.outputFrameBytes,
        size: sizes[stream],
        isSealed: report !== undefined,
      });
      if (data.length === 0) continue;
      this.#link.sendOutput({ jobId, stream, offset: sending[stream], data });
      sending[stream] += data.length;
      return true;
    }
    return false;
  }

  #read(folder: JobFolder, of: Parameters<JobFolder['read']>[0]): Buffer {
    try {
      return folder.read(of);
    } catch (error) {
      // Output that is gone from the disk must not keep the result from being told.
      this.#deps.log.error({ error, jobId: folder.jobId }, 'output cannot be read');
      return Buffer.alloc(0);
    }
  }
}
