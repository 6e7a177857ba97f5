import type {
  AgentFrame,
  GatewayFrame,
  OutputAnswer,
  OutputFrame,
  OutputStream,
} from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import type { OutputSizes } from './job-folder.ts';
import { JobOutput, type JobOutputDeps, type Readable, tailStarts } from './job-output.ts';

/** The open session as those who speak see it. */
export type Link = {
  readonly isOpen: boolean;
  send(frame: AgentFrame): void;
  sendOutput(frame: OutputFrame): void;
  sendAnswer(answer: OutputAnswer): void;
  /** Bytes handed over that the socket has not taken. */
  readonly backlogBytes: number;
};

export type SpoolDeps = JobOutputDeps & {
  readonly clock: Clock;
  readonly log: Log;
  readonly crashAt: CrashPoints<'agent'>;
};

type OutputGet = Extract<GatewayFrame, { type: 'output-get' }>;

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
 * Sends output and results over one session: while a job runs the head of each stream, from the
 * offset that the gateway named; at its end the tails and then the result (rule X11). What lies
 * between is sent when it is asked for. Files are the store: a spool holds offsets only.
 */
export class OutputSpool {
  readonly #deps: SpoolDeps;
  readonly #link: Link;
  readonly #output: JobOutput;
  readonly #sendings = new Map<string, Sending>();

  constructor(deps: SpoolDeps, link: Link) {
    this.#deps = deps;
    this.#link = link;
    this.#output = new JobOutput(deps);
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

  /** Answers at once from the disk. A gateway that asks faster than the link takes is told to wait. */
  answer(question: OutputGet): void {
    this.#link.sendAnswer(this.#answerTo(question));
  }

  #answerTo({ id, jobId, stream, offset, limit }: OutputGet): OutputAnswer {
    if (this.#link.backlogBytes > backlogBytesMax) return { kind: 'busy', id };
    const readable = this.#output.readable(jobId);
    if (readable === null) return { kind: 'gone', id };
    try {
      const data = this.#output.read(jobId, { readable, stream, offset, bytes: limit });
      return { kind: 'piece', id, offset, total: readable.sizes[stream], data };
    } catch (error) {
      this.#deps.log.error({ error, jobId }, 'output cannot be read');
      return { kind: 'gone', id };
    }
  }

  /** Sends one piece; false if there is none to send by now. */
  #sendPiece(sending: Sending): boolean {
    const { jobId } = sending;
    const readable = this.#output.readable(jobId);
    if (readable === null) return false;
    for (const stream of streams) {
      const { offset, bytes } = nextPiece(sending[stream], { readable, stream });
      const data = this.#read(jobId, { readable, stream, offset, bytes });
      if (data.length === 0) continue;
      this.#link.sendOutput({ jobId, stream, offset, data });
      sending[stream] = offset + data.length;
      return true;
    }
    return false;
  }

  #read(jobId: string, of: Parameters<JobOutput['read']>[1]): Buffer {
    try {
      return this.#output.read(jobId, of);
    } catch (error) {
      // Output that is gone from the disk must not keep the result from being told.
      this.#deps.log.error({ error, jobId }, 'output cannot be read');
      return Buffer.alloc(0);
    }
  }
}

/** What follows `sent`: the rest of the head, or, once the job has ended, of the tail. */
function nextPiece(
  sent: number,
  of: { readonly readable: Readable; readonly stream: OutputStream },
): { readonly offset: number; readonly bytes: number } {
  const { outputHeadBytes, outputFrameBytes } = limits;
  const left = outputHeadBytes - sent;
  if (left > 0) return { offset: sent, bytes: left };
  const { sizes, isEnded } = of.readable;
  if (!isEnded) return { offset: sent, bytes: 0 };
  return { offset: Math.max(sent, tailStarts(sizes)[of.stream]), bytes: outputFrameBytes };
}
