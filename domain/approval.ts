import type { FrozenApproval } from '../contracts/frozen.ts';
import type { ApprovalUpdate, ApprovalView } from '../contracts/temporal.ts';
import { namesDigest, shortDigest } from './approval-digest.ts';

/** Why an answer is refused; the code is one of the error table. */
export type AnswerRefusal = { readonly code: 'conflict' | 'plan_stale'; readonly words: string };

/** What is asked: all hosts of the plan at first, later those that came since. */
export type Question = {
  readonly digest: string;
  /** How many hosts the answer is about. */
  readonly hosts: number;
  /** Names of those that came since the answer before; null in the first question. */
  readonly added: readonly string[] | null;
};

/**
 * Who approved a plan, without time or I/O. An approver is a person, however often and by whatever way
 * they say so; whoever started the repair, or is named as an author of its change, is none.
 */
export class Approval {
  readonly #rules: FrozenApproval;
  readonly #startedBy: string | null;
  #question: Question | null = null;
  #untilMs: number | null = null;
  /** Spoken to the latest question; by person. */
  #given = new Map<string, string>();

  constructor(of: { readonly rules: FrozenApproval; readonly startedBy: string | null }) {
    this.#rules = of.rules;
    this.#startedBy = of.startedBy;
  }

  get rules(): FrozenApproval {
    return this.#rules;
  }

  /** Asks anew: what was said to the question before does not count for this one. */
  ask(question: Question): void {
    this.#question = question;
    this.#given = new Map();
  }

  /** When the question ends, Unix ms; null while its time stands still. */
  endsAt(untilMs: number | null): void {
    this.#untilMs = untilMs;
  }

  get isGranted(): boolean {
    return this.#given.size >= this.#rules.approvers;
  }

  get left(): number {
    return Math.max(0, this.#rules.approvers - this.#given.size);
  }

  /** Whether this person has approved the latest question already. */
  hasApproved(by: string): boolean {
    return this.#given.has(personOf(by));
  }

  /** Why this answer does not count, or null. */
  refusalOf(update: ApprovalUpdate, action: 'approve' | 'reject'): AnswerRefusal | null {
    const question = this.#question;
    if (question === null) return conflict('nothing was asked');
    if (this.#rules.fromTemporal === false && update.via !== 'api') {
      return conflict(
        'answers given in Temporal do not count here: use `fixpoint remediation approve` or the api',
      );
    }
    // Whoever rejects keeps something from being done; that anybody may.
    if (action === 'reject') return null;
    return this.#ownChange(update.by) ?? staleness(update.digest, question.digest);
  }

  approve(by: string): string {
    const person = personOf(by);
    if (this.#given.has(person)) {
      return `${by} has approved already: ${this.#given.size} of ${this.#rules.approvers}`;
    }
    this.#given.set(person, by);
    return `${this.#given.size} of ${this.#rules.approvers} approvals`;
  }

  /** Null before anything was asked. */
  view(): ApprovalView | null {
    const question = this.#question;
    if (question === null) return null;
    return {
      approvers: this.#rules.approvers,
      given: [...this.#given.values()],
      untilMs: this.#untilMs,
      digest: question.digest,
      hosts: question.hosts,
      ...(question.added === null ? {} : { added: question.added }),
      notBy: this.#excluded(),
    };
  }

  #excluded(): readonly string[] {
    const { notBy = [] } = this.#rules;
    return this.#startedBy === null ? notBy : [this.#startedBy, ...notBy];
  }

  #ownChange(by: string): AnswerRefusal | null {
    const person = personOf(by);
    if (this.#startedBy !== null && personOf(this.#startedBy) === person) {
      return conflict(`${by} started this repair: somebody else must approve it`);
    }
    if (!this.#excluded().some((name) => personOf(name) === person)) return null;
    return conflict(
      `${by} changed what this repair does (approval.notBy): somebody else must approve it`,
    );
  }
}

/** One person, however they write their name. */
const personOf = (name: string): string => name.trim().toLowerCase();

const conflict = (words: string): AnswerRefusal => ({ code: 'conflict', words });

function staleness(given: string | undefined, digest: string): AnswerRefusal | null {
  if (given === undefined || namesDigest(given, digest)) return null;
  return {
    code: 'plan_stale',
    words: `that approval is for another plan: this one is ${shortDigest(digest)}; look at it again`,
  };
}
