import fc from 'fast-check';
import type { Admission, Floor, HostToHold } from '../../domain/blast-radius.ts';

/** One thing that a remediation asks of the governor. */
export type GovernorStep =
  | {
      readonly kind: 'admit';
      readonly remediationId: string;
      readonly hosts: readonly HostToHold[];
    }
  | {
      readonly kind: 'release';
      readonly remediationId: string;
      readonly agentIds: readonly string[];
    }
  | { readonly kind: 'release-all'; readonly remediationId: string };

/** What the same caps and floors see from first to last. */
export type GovernorHistory = {
  readonly caps: ReadonlyMap<string, number>;
  readonly floors: ReadonlyMap<string, Floor>;
  readonly steps: readonly GovernorStep[];
};

/** The remediations of all histories. */
export const historyRemediations = ['remediation:a', 'remediation:b', 'remediation:c'] as const;

const remediationId = fc.constantFrom(...historyRemediations);
const agentId = fc.constantFrom('h1', 'h2', 'h3', 'h4', 'h5', 'h6');
const domain = fc.constantFrom('zone=a', 'zone=b', 'rack=1', 'häuser "7"');
const service = fc.constantFrom('web', 'db');

// A host may come with other domains or another health each time: labels and health change.
const host: fc.Arbitrary<HostToHold> = fc.record({
  agentId,
  domains: fc.array(domain, { maxLength: 3 }),
  service: fc.option(service),
  isHealthy: fc.boolean(),
});

const step: fc.Arbitrary<GovernorStep> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('admit' as const),
      remediationId,
      hosts: fc.array(host, { maxLength: 5 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('release' as const),
      remediationId,
      agentIds: fc.array(agentId, { maxLength: 8 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('release-all' as const), remediationId }),
  },
);

/** Short histories of few hosts, so that most of them meet a holder, a cap or a floor. */
export const governorHistory = (): fc.Arbitrary<GovernorHistory> =>
  fc.record({
    caps: fc
      .dictionary(domain, fc.oneof(fc.nat(3), fc.constant(Number.POSITIVE_INFINITY)))
      .map((caps) => new Map(Object.entries(caps))),
    floors: fc
      .dictionary(service, fc.record({ floor: fc.nat(3), healthy: fc.nat(5) }))
      .map((floors) => new Map(Object.entries(floors))),
    steps: fc.array(step, { minLength: 1, maxLength: 8 }),
  });

/** A step's request under its history's caps and floors. */
export const anAdmission = (
  of: Omit<Admission, 'caps' | 'floors'>,
  { caps, floors }: Pick<Admission, 'caps' | 'floors'>,
): Admission => ({ remediationId: of.remediationId, hosts: of.hosts, caps, floors });
