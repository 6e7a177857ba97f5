import type { OutputStream } from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import type { JobReport } from '../contracts/task.ts';
import { FixpointError } from '../domain/errors.ts';
import { jobIdOf } from '../domain/ids.ts';
import { isFinal } from '../domain/job.ts';
import { endOf, type Kept, nextPart, partAt } from './kept-output.ts';
import type { HostOutput, OutputRange } from './output-gets.ts';
import { spanOf, utf8Window } from './utf8-window.ts';

export type OutputReaderDeps = {
  readonly kept: (of: Which) => Promise<Kept>;
  /** Asks the host, if its agent is here. */
  readonly ask: (agentId: string, range: OutputRange) => Promise<HostOutput>;
  /** Asks the gateway that has the agent. */
  readonly askElsewhere: (agentId: string, range: OutputRange) => Promise<HostOutput>;
};

type Which = {
  readonly taskId: string;
  readonly agentId: string;
  readonly stream: OutputStream;
};

/** What a reader asks for. Offsets and limits are in bytes. */
export type Asked = Which & {
  readonly offset: number;
  readonly limit: number;
  /** Go on behind what cannot be had, instead of refusing; the answer's `offset` tells how far. */
  readonly skip: boolean;
  /** Another gateway asks: it knows that the agent is here, or it is nowhere. */
  readonly isForwarded: boolean;
};

type Place = {
  /** Bytes there are, as far as is known. */
  readonly total: number;
  /** Nothing will follow the piece. */
  readonly finished: boolean;
  /** The job wrote more than it may, and the rest is gone. */
  readonly cut: boolean;
};

export type OutputBytes = Place & { readonly offset: number; readonly bytes: Buffer };

/** A piece of output as text; `offset` and `next` are byte offsets at the edge of a character. */
export type OutputText = Place & {
  readonly stream: OutputStream;
  readonly offset: number;
  readonly next: number;
  readonly text: string;
};

/** Bytes from `from` on; `total` as above. */
type Found = { readonly from: number; readonly bytes: Buffer; readonly total: number };

type Wanted = {
  /** Where reading begins; before `offset` only to find the edge of a character. */
  readonly start: number;
  readonly end: number;
  /** A part with fewer bytes behind `offset` is of no use. */
  readonly least: number;
};

const edgeBytes = 4;

/**
 * Reads what jobs wrote (rule X11): head and tail from Redis, what lies between from the host, if
 * its agent can be asked. A range that cannot be had whole is answered as far as it can be; one of
 * which nothing can be had is refused, and the refusal names what is kept. Asking beyond the end gives
 * nothing.
 */
export class OutputReader {
  readonly #deps: OutputReaderDeps;

  constructor(deps: OutputReaderDeps) {
    this.#deps = deps;
  }

  /** The bytes as they are. `job` is the job's report as it stands. */
  async bytes(asked: Asked, job: JobReport): Promise<OutputBytes> {
    const { offset, limit } = asked;
    const { from, bytes, total } = await this.#find(asked, job, {
      ...{ start: offset, end: offset + limit, least: 1 },
    });
    const finished = isFinal(job.state) && from + bytes.length >= total;
    return { offset: from, bytes, total, finished, cut: job.outputCut === true };
  }

  /** The bytes as text, never cut inside a character: following `next` gives every byte once. */
  async text(asked: Asked, job: JobReport): Promise<OutputText> {
    const { limit, stream } = asked;
    const span = spanOf(asked.offset, limit);
    const { from, bytes, total } = await this.#find(asked, job, { ...span, least: edgeBytes });
    const isOver = isFinal(job.state);
    const offset = Math.max(asked.offset, from);
    const isEnd = isOver && from + bytes.length >= total;
    const window = utf8Window({ bytes, from, offset, limit, isEnd });
    return {
      stream,
      offset: window.start,
      next: window.end,
      total,
      finished: isOver && window.end >= total,
      cut: job.outputCut === true,
      text: window.text,
    };
  }

  async #find(asked: Asked, job: JobReport, wanted: Wanted): Promise<Found> {
    const kept = await this.#deps.kept(asked);
    const known = endOf(kept, { state: job.state, bytes: job[`${asked.stream}Bytes`] });
    const end = Math.min(wanted.end, known ?? wanted.end);
    const total = known ?? kept.head.length;
    if (end <= asked.offset) return { from: asked.offset, bytes: Buffer.alloc(0), total };
    const whole = partAt(kept, wanted.start);
    if (whole !== null && whole.from + whole.bytes.length >= end) {
      const bytes = whole.bytes.subarray(wanted.start - whole.from, end - whole.from);
      return { from: wanted.start, bytes, total };
    }
    const told = await this.#ask(asked, { start: wanted.start, end });
    if (told.kind === 'piece') {
      return { from: wanted.start, bytes: told.data, total: known ?? told.total };
    }
    if (told.kind === 'too_old' && known === null && asked.offset >= total) {
      // It sends all it has: that the head is just full is all there is to know.
      return { from: asked.offset, bytes: Buffer.alloc(0), total };
    }
    const least = known === null ? wanted.least : Math.min(wanted.least, known - asked.offset);
    return this.#partly({ asked, kept, wanted: { ...wanted, end, least }, total, why: told.kind });
  }

  /** What is kept of a range whose rest cannot be had. */
  #partly(of: {
    readonly asked: Asked;
    readonly kept: Kept;
    readonly wanted: Wanted;
    readonly total: number;
    readonly why: Exclude<HostOutput['kind'], 'piece'>;
  }): Found {
    const { asked, kept, wanted, total, why } = of;
    const part = partAt(kept, asked.offset);
    const partEnd = part === null ? 0 : part.from + part.bytes.length;
    if (part !== null && partEnd - asked.offset >= wanted.least) {
      const from = Math.max(part.from, wanted.start);
      return { from, bytes: part.bytes.subarray(from - part.from, wanted.end - part.from), total };
    }
    const next = nextPart(kept, asked.offset);
    if (asked.skip && why !== 'busy' && next !== null) {
      return { from: next.from, bytes: next.bytes.subarray(0, wanted.end - asked.offset), total };
    }
    throw refusalOf(asked, { kept, why });
  }

  /** As many questions as the range needs; what came before one that failed counts. */
  async #ask(
    of: Asked,
    range: { readonly start: number; readonly end: number },
  ): Promise<HostOutput> {
    const jobId = jobIdOf(of.taskId, of.agentId);
    const pieces: Buffer[] = [];
    let [at, total] = [range.start, range.end];
    while (at < range.end) {
      const limit = Math.min(limits.outputGetBytes, range.end - at);
      const answer = await this.#askOnce(of, { jobId, stream: of.stream, offset: at, limit });
      if (answer.kind !== 'piece' && pieces.length === 0) return answer;
      if (answer.kind !== 'piece') break;
      pieces.push(answer.data);
      total = answer.total;
      at += answer.data.length;
      // All there is by now; an agent that doles out its output is not asked a million times.
      if (answer.data.length < limit) break;
    }
    return { kind: 'piece', total, data: Buffer.concat(pieces) };
  }

  async #askOnce(of: Asked, range: OutputRange): Promise<HostOutput> {
    const here = await this.#deps.ask(of.agentId, range);
    if (here.kind !== 'offline' || of.isForwarded) return here;
    return this.#deps.askElsewhere(of.agentId, range);
  }
}

const codes = {
  offline: 'agent_offline',
  too_old: 'unsupported',
  gone: 'gone',
  busy: 'limit_exceeded',
  silent: 'deadline_exceeded',
  refused: 'upstream_unavailable',
} as const;

const whys = {
  offline: 'its agent is offline',
  too_old: 'its agent, or the gateway that has it, is too old to be asked for it',
  gone: 'the host does not keep it any more',
  busy: 'its agent is being asked by too many at once',
  silent: 'its agent did not answer in time',
  refused: 'the gateway that has its agent cannot be asked; the log of this one says why',
} as const;

function refusalOf(
  asked: Asked,
  of: { readonly kept: Kept; readonly why: keyof typeof codes },
): FixpointError {
  const { head, tail, tailFrom } = of.kept;
  const parts = [
    ...(head.length > 0 ? [`0 to ${head.length}`] : []),
    ...(tail.length > 0 ? [`${tailFrom} to ${tailFrom + tail.length}`] : []),
  ];
  const here = parts.length === 0 ? 'nothing' : `bytes ${parts.join(' and ')}`;
  return new FixpointError(
    codes[of.why],
    `${asked.stream} from byte ${asked.offset} on lies on the host, and ${whys[of.why]}`,
    { hint: `the gateway itself keeps ${here}; ask again when the agent answers` },
  );
}
