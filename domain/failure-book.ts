import type { FailureMemory } from '../contracts/breaker.ts';

type Failure = FailureMemory[number][1][number];

/** Which repairs of each policy failed lately. A repair counts once, however often it is told. */
export class FailureBook {
  readonly #failures: Map<string, readonly Failure[]>;

  constructor(carried: FailureMemory = []) {
    this.#failures = new Map(carried);
  }

  /** Takes one in; answers how many there are within the window. */
  note(of: {
    readonly policy: string;
    readonly failure: Failure;
    readonly windowMs: number;
  }): number {
    const { policy, failure, windowMs } = of;
    const known = this.#failures.get(policy) ?? [];
    const others = known.filter(({ remediationId }) => remediationId !== failure.remediationId);
    const first = known.find(({ remediationId }) => remediationId === failure.remediationId);
    const within = [...others, first ?? failure].filter(({ at }) => at > failure.at - windowMs);
    this.#failures.set(policy, within);
    return within.length;
  }

  clear(policy: string): void {
    this.#failures.delete(policy);
  }

  carried(): FailureMemory {
    return [...this.#failures];
  }
}
