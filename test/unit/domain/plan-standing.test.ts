import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type FleetFacts, massGuard, planGuards } from '../../../domain/plan-standing.ts';
import { planHosts } from '../../../domain/repair-plan.ts';
import { selectAgents } from '../../../platform/agent-matchers.ts';

const agents = Array.from({ length: 8 }, (_, at) => ({
  agentId: `a${at}`,
  journalId: `j${at}`,
  labels: new Map([
    ['service', 'web'],
    ['zone', at < 6 ? 'a' : 'b'],
  ]),
}));
const guards = { domainBy: ['zone'], blastRadius: '50%', floor: '50%', maxTargets: '100%' };
const planned = planHosts({
  targets: { from: null, select: ['zone="a"'], onMissing: 'refuse' },
  ...{
    episodes: [],
    agents,
    select: selectAgents,
    guards,
    targetsMax: 100,
    blastRadius: undefined,
  },
});
if (planned.kind === 'held') throw new Error(planned.detail);
const fleet: FleetFacts = {
  ...{ agents, stops: [], breakers: [], held: new Map([['zone=a', 1]]) },
  connected: new Set(agents.map(({ agentId }) => agentId)),
};
const standing = (over: Partial<FleetFacts> = {}) =>
  planGuards({ policy: 'web', plan: planned, guards, fleet: { ...fleet, ...over } });
const holding = (over: Partial<FleetFacts>) =>
  standing(over)
    .filter(({ holds }) => holds)
    .map(({ guard }) => guard);

describe('where the guards of a plan stand', () => {
  it('each tells its limit, its use and what is left', () => {
    assert.deepEqual(
      standing().map(({ guard, limit, use, slack }) => [guard, limit, use, slack]),
      [
        ['guards.maxTargets', '8 hosts (100% of 8 enrolled)', '6 hosts', '2 of 8'],
        [
          'guards.blastRadius zone=a',
          '3 of 6 agents at once',
          '1 held now, 6 hosts of this plan',
          '2 of 3',
        ],
        ['guards.floor web', '4 healthy hosts stay untouched (50% of 8)', '8 healthy', '4 of 8'],
      ],
    );
    assert.deepEqual(holding({}), []);
  });

  it('a full domain, a service at its floor and a stop hold', () => {
    const stop = { scope: { domain: 'zone=a' }, reason: 'power', by: 'ada', at: 1 };

    assert.deepEqual(holding({ held: new Map([['zone=a', 3]]) }), ['guards.blastRadius zone=a']);
    assert.deepEqual(holding({ connected: new Set(['a0', 'a1', 'a2', 'a3']) }), [
      'guards.floor web',
    ]);
    assert.deepEqual(holding({ stops: [stop] }), ['control stop']);
    assert.deepEqual(holding({ stops: [{ ...stop, scope: { domain: 'zone=b' } }] }), []);
    assert.deepEqual(holding({ stops: [{ ...stop, scope: { policy: 'db' } }] }), []);
    assert.deepEqual(holding({ stops: [{ ...stop, scope: null }] }), ['control stop']);
  });

  it('while nobody knows what is held, nobody is admitted, and it says so', () => {
    const [, cap] = standing({ held: null });

    assert.deepEqual([cap?.holds, cap?.slack], [true, null]);
    assert.match(cap?.use ?? '', /not known now/);
  });

  it('so many hosts that alert hold it, by these alerts or in a storm that is on', () => {
    const of = { massHosts: undefined, enrolled: 8, storm: null };
    const storm = { hosts: 30, untilMs: 9 } as Parameters<typeof massGuard>[0]['storm'];

    assert.equal(massGuard({ ...of, alerting: 20 }).holds, false);
    assert.equal(massGuard({ ...of, alerting: 21 }).holds, true);
    assert.deepEqual(
      [
        massGuard({ ...of, alerting: 1, storm }).holds,
        massGuard({ ...of, alerting: 1, storm }).untilMs,
      ],
      [true, 9],
    );
    assert.equal(massGuard({ ...of, massHosts: 'off', alerting: 900 }).holds, false);
  });
});
