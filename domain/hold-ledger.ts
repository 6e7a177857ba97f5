import type { AdmitAnswer, AdmitInput, HoldsView, PlanDomains } from '../contracts/admission.ts';
import { invariant } from './errors.ts';
import { hostsPerDomain } from './fault-domains.ts';

/** What one run carries of it into the next; plain JSON. */
export type CarriedHolds = {
  readonly services: readonly string[];
  /** Of each host, in the plan's order: 0 not held, 1 held, 2 and more held and counted by `services[n - 2]`. */
  readonly of: readonly number[];
  /** Positions that are proven and not told to the governor yet. */
  readonly freed: readonly number[];
};

/** The same numbers; what is not held is 0. */
const isHeldAs = (mark: number | undefined): boolean => (mark ?? 0) > 0;

/**
 * Which hosts of a plan its repair holds, by their positions: what the governor granted and was not
 * told to be free since. It is how Redis, which may lose the holds, learns them again (rule R6).
 */
export class HoldLedger {
  readonly #domains: PlanDomains;
  readonly #agentIds: readonly string[];
  readonly #services: string[];
  readonly #of: number[];
  readonly #freed: Set<number>;

  constructor(of: {
    readonly domains: PlanDomains;
    readonly agentIds: readonly string[];
    readonly carried?: CarriedHolds;
  }) {
    this.#domains = of.domains;
    this.#agentIds = of.agentIds;
    this.#services = [...(of.carried?.services ?? [])];
    this.#of = [...(of.carried?.of ?? new Array<number>(of.agentIds.length).fill(0))];
    this.#freed = new Set(of.carried?.freed);
  }

  isHeld(position: number): boolean {
    return isHeldAs(this.#of[position]) && !this.#freed.has(position);
  }

  /** Whether these and what is held would together be more than a domain's cap when it was planned. */
  exceeds(positions: readonly number[]): boolean {
    const { caps } = this.#domains;
    const together = new Set(positions);
    for (const position of this.#of.keys()) if (this.isHeld(position)) together.add(position);
    const counts = hostsPerDomain(this.#domains, together);
    return counts.some((count, name) => count > (caps[name] ?? Number.POSITIVE_INFINITY));
  }

  /** What to ask the governor for these; the hosts that are free by now go along. */
  question(positions: readonly number[]): Pick<AdmitInput, 'release' | 'hosts' | 'places' | 'of'> {
    const { places, of } = this.#tables(positions);
    return {
      release: [...this.#freed].map((position) => this.#agentAt(position)),
      hosts: positions.map((position) => this.#agentAt(position)),
      places,
      of,
    };
  }

  /** Takes in the answer to `question(positions)`; `freed` are those that were let go with it. */
  answered(
    positions: readonly number[],
    answer: AdmitAnswer,
    freed: readonly string[],
  ): { readonly granted: readonly number[]; readonly refused: readonly number[] } {
    const gone = new Set(freed);
    for (const position of [...this.#freed]) {
      if (!gone.has(this.#agentAt(position))) continue;
      this.#freed.delete(position);
      this.#of[position] = 0;
    }
    const isGranted = (_: number, at: number) => answer.letters.charAt(at) === 'g';
    for (const [at, position] of positions.entries()) {
      if (!isGranted(position, at)) continue;
      const service = answer.services[answer.of[at] ?? -1];
      this.#of[position] = service === undefined ? 1 : this.#serviceAt(service) + 2;
    }
    return {
      granted: positions.filter(isGranted),
      refused: positions.filter((position, at) => !isGranted(position, at)),
    };
  }

  /** These are proven, or nothing was done to them: the next question lets them go. */
  free(positions: readonly number[]): void {
    for (const position of positions) if (this.isHeld(position)) this.#freed.add(position);
  }

  view(): HoldsView {
    const held = [...this.#of.keys()].filter((position) => this.isHeld(position));
    const { places, of } = this.#tables(held);
    return {
      places,
      services: this.#services,
      hosts: held.map((position, at) => [
        this.#agentAt(position),
        of[at] ?? 0,
        (this.#of[position] ?? 0) - 2 < 0 ? -1 : (this.#of[position] ?? 0) - 2,
      ]),
    };
  }

  carried(): CarriedHolds {
    return { services: this.#services, of: this.#of, freed: [...this.#freed] };
  }

  #agentAt(position: number): string {
    const agentId = this.#agentIds[position];
    invariant(agentId !== undefined, `position ${position} is in the plan`);
    return agentId;
  }

  #serviceAt(service: string): number {
    const known = this.#services.indexOf(service);
    return known >= 0 ? known : this.#services.push(service) - 1;
  }

  /** Only the places that these have, renumbered. */
  #tables(positions: readonly number[]): Pick<AdmitInput, 'places' | 'of'> {
    const numbers = new Map<number, number>();
    const of = positions.map((position) => {
      const place = this.#domains.of[position] ?? 0;
      const known = numbers.get(place);
      if (known === undefined) numbers.set(place, numbers.size);
      return known ?? numbers.size - 1;
    });
    const places = [...numbers.keys()].map((place) =>
      (this.#domains.places[place] ?? []).map((name) => this.#domains.names[name] ?? ''),
    );
    return { places, of };
  }
}
