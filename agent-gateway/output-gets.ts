import type { GatewayFrame, OutputAnswer, OutputStream } from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import type { Clock, Timer } from '../platform/clock.ts';

/** A link with an agent, as far as asking goes. */
type Askable = {
  readonly isOpen: boolean;
  /** Protocol version of its hello. */
  readonly protocol: number;
  send(frame: GatewayFrame): void;
};

export type OutputRange = {
  readonly jobId: string;
  readonly stream: OutputStream;
  /** Both in bytes; `limit` at most `limits.outputGetBytes`. */
  readonly offset: number;
  readonly limit: number;
};

/**
 * How asking a host for output ended. `offline`: its agent has no link here, or lost it meanwhile;
 * `too_old`: the agent cannot be asked; `gone`: the host does not keep it any more; `busy`: too many
 * questions at once; `silent`: no answer in time; `refused`: the gateway that has the agent may not be
 * asked, or does not take this one for a gateway.
 */
export type HostOutput =
  | { readonly kind: 'piece'; readonly total: number; readonly data: Buffer }
  | { readonly kind: 'offline' | 'too_old' | 'gone' | 'busy' | 'silent' | 'refused' };

export type OutputGetsDeps = {
  readonly session: (agentId: string) => Askable | undefined;
  readonly outputGetMs: number;
  readonly clock: Clock;
};

type Question = {
  readonly range: OutputRange;
  readonly settle: (answer: HostOutput) => void;
  readonly timer: Timer;
};

const firstProtocol = 2;
const idMax = 0xffff_ffff;

/** Asks agents for output that lies on their hosts (rule X11), a few questions at a time. */
export class OutputGets {
  readonly #deps: OutputGetsDeps;
  readonly #open = new Map<Askable, Map<number, Question>>();
  #lastId = 0;

  constructor(deps: OutputGetsDeps) {
    this.#deps = deps;
  }

  /** Never rejects. */
  async ask(agentId: string, range: OutputRange): Promise<HostOutput> {
    const session = this.#deps.session(agentId);
    if (session?.isOpen !== true) return { kind: 'offline' };
    if (session.protocol < firstProtocol) return { kind: 'too_old' };
    const questions = this.#open.get(session) ?? new Map<number, Question>();
    if (questions.size >= limits.outputGetsMax) return { kind: 'busy' };
    this.#open.set(session, questions);
    this.#lastId = (this.#lastId % idMax) + 1;
    const id = this.#lastId;
    return new Promise((resolve) => {
      const settle = (answer: HostOutput) => {
        timer.cancel();
        questions.delete(id);
        if (questions.size === 0) this.#open.delete(session);
        resolve(answer);
      };
      const timer = this.#deps.clock.after(this.#deps.outputGetMs, () =>
        settle({ kind: 'silent' }),
      );
      questions.set(id, { range, settle, timer });
      session.send({ type: 'output-get', id, ...range });
    });
  }

  /**
   * Takes an answer; false if it is none to anything that was asked on this link. One that comes
   * after its time is fine, and ignored.
   */
  answered(session: Askable, answer: OutputAnswer): boolean {
    const question = this.#open.get(session)?.get(answer.id);
    if (question === undefined) return answer.id <= this.#lastId;
    if (answer.kind !== 'piece') {
      question.settle({ kind: answer.kind });
      return true;
    }
    const { offset, limit } = question.range;
    if (answer.offset !== offset || answer.data.length > limit) return false;
    question.settle({ kind: 'piece', total: answer.total, data: answer.data });
    return true;
  }

  /** The link is gone: nothing will be answered on it any more. */
  closed(session: Askable): void {
    for (const { settle } of [...(this.#open.get(session)?.values() ?? [])]) {
      settle({ kind: 'offline' });
    }
  }
}
