import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type PlanDeps, planTargets } from '../../../activities/plan-targets.ts';
import type { FrozenGuards } from '../../../contracts/frozen.ts';
import { errorPolicies, FixpointError } from '../../../domain/errors.ts';
import { anEpisode } from '../../support/builders.ts';

const targets = {
  from: { label: 'instance', strip: 'port', by: 'hostname' },
  select: null,
  onMissing: 'refuse',
} as const;
const agent = (name: string) => ({
  agentId: name.padEnd(12, '0'),
  journalId: 'j'.repeat(26),
  labels: new Map(Object.entries({ name, hostname: name })),
});
const episodeOf = (fingerprint: string, startsAt: string) =>
  anEpisode({ id: `${fingerprint}@1`, fingerprint, startsAt });

const startsAt = '2026-01-01T00:00:10.000000002Z';
/** 20 digits of nanoseconds, as tombstones are kept. */
const nanoseconds = (offset: bigint): string =>
  String(BigInt(Date.parse('2026-01-01T00:00:10Z')) * 1_000_000n + 2n + offset).padStart(20, '0');

describe('planning the hosts of a repair', () => {
  const planWith = (
    ends: Readonly<Record<string, string>>,
    over: Partial<PlanDeps> = {},
    guards?: FrozenGuards,
  ) => {
    const asked: (readonly string[])[] = [];
    const deps: PlanDeps = {
      inventory: async () => ({ complete: true, agents: [agent('web1'), agent('web2')] }),
      tombstones: async (fingerprints) => {
        asked.push(fingerprints);
        return fingerprints.map((fingerprint) => ends[fingerprint] ?? null);
      },
      select: () => true,
      targetsMax: 20,
      blastRadius: undefined,
      ...over,
    };
    const episodes = ['a', 'b', 'c'].map((fingerprint) => episodeOf(fingerprint, startsAt));
    return planTargets(deps, { targets, episodes, ...(guards ? { guards } : {}) }).then((plan) => ({
      plan,
      asked,
    }));
  };
  const resolvedBy = async (ends: Readonly<Record<string, string>>) => {
    const { plan } = await planWith(ends);
    return plan.kind === 'planned' ? plan.resolved : plan;
  };

  it('asks once for the ends of all episodes, and those without one stay', async () => {
    const { plan, asked } = await planWith({});

    assert.deepEqual(asked, [['a', 'b', 'c']]);
    assert.deepEqual(plan.kind === 'planned' && plan.resolved, []);
    assert.deepEqual(plan.kind === 'planned' && plan.targets.map(({ name }) => name), ['web1']);
  });

  it('an episode that ended after it began is over, to the nanosecond', async () => {
    assert.deepEqual(await resolvedBy({ b: nanoseconds(1n) }), ['b@1']);
    assert.deepEqual(
      await resolvedBy({ b: nanoseconds(0n) }),
      [],
      'an end is not before a start of the same nanosecond',
    );
    assert.deepEqual(
      await resolvedBy({ b: nanoseconds(-1n) }),
      [],
      'it ended before this one began',
    );
  });

  it('an end written as a time counts as one written in digits', async () => {
    assert.deepEqual(
      await resolvedBy({
        a: '2026-01-01T00:00:10.000000003Z',
        b: '2026-01-01T00:00:10.000000002Z',
        c: '2026-01-01T01:00:10.000000003+01:00',
      }),
      ['a@1', 'c@1'],
    );
  });

  it('every episode over is told, not left out: the repair decides that nothing starts', async () => {
    const end = nanoseconds(1n);

    assert.deepEqual(await resolvedBy({ a: end, b: end, c: end }), ['a@1', 'b@1', 'c@1']);
  });

  it('an end that is no time ends nothing', async () => {
    assert.deepEqual(await resolvedBy({ a: '', b: 'yesterday', c: '9'.repeat(19) }), []);
  });

  it('an inventory that is not whole is an error that is tried again, not a plan of part of it', async () => {
    const part = async () => ({ complete: false, agents: [agent('web1')] });

    await assert.rejects(planWith({}, { inventory: part }), (error) => {
      assert.ok(error instanceof FixpointError);
      assert.equal(error.code, 'inventory_incomplete');
      assert.equal(errorPolicies[error.code].retry, 'later');
      return true;
    });
  });

  it('an inventory or tombstones that cannot be read are errors, never an empty plan', async () => {
    const gone = () => Promise.reject(new Error('Redis is away'));

    await assert.rejects(planWith({}, { inventory: gone }), /Redis is away/);
    await assert.rejects(planWith({}, { tombstones: gone }), /Redis is away/);
  });

  it('a refusal is held with its reason, and asks for no tombstone', async () => {
    const nobody = async () => ({ complete: true, agents: [] });

    const { plan, asked } = await planWith({}, { inventory: nobody });

    assert.deepEqual([plan.kind, plan.kind === 'held' && plan.reason], ['held', 'no_target']);
    assert.deepEqual(asked, []);
  });

  it('with guards it tells where the hosts stand, how large that is, and how many may be held', async () => {
    const four = async () => ({
      complete: true,
      agents: ['web1', 'web2', 'web3', 'web4'].map((name) => ({
        ...agent(name),
        labels: new Map(Object.entries({ name, hostname: name, zone: 'a' })),
      })),
    });

    const { plan } = await planWith({}, { inventory: four }, { domainBy: ['zone'] });

    assert.deepEqual(plan.kind === 'planned' && plan.domains, {
      names: ['zone=a'],
      sizes: [4],
      caps: [1],
      places: [[0]],
      of: [0],
    });
  });

  it('more hosts than maxTargets allows are held with the figures, of the whole inventory', async () => {
    const guards = { domainBy: ['zone'], maxTargets: '50%' };
    const many = { select: () => true };
    const selected = {
      ...targets,
      ...{ from: null, select: ['service="web"'] },
    };
    const deps: PlanDeps = {
      inventory: async () => ({ complete: true, agents: [agent('web1'), agent('web2')] }),
      tombstones: async () => [],
      ...{ targetsMax: 20, blastRadius: undefined, ...many },
    };

    const plan = await planTargets(deps, { targets: selected, episodes: [], guards });

    assert.deepEqual(plan, {
      kind: 'held',
      reason: 'limit_exceeded',
      detail: '2 hosts, guards.maxTargets allows 50% of 2: 1; if they are all meant, raise it',
    });
  });
});
