import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FrozenTargets } from '../../../contracts/frozen.ts';
import { hostValue, type InventoryAgent, selectTargets } from '../../../domain/target-selection.ts';
import { anEpisode } from '../../support/builders.ts';

const agent = (name: string, labels: Record<string, string> = {}): InventoryAgent => ({
  agentId: name.padEnd(12, '0'),
  journalId: 'j'.repeat(26),
  labels: new Map(Object.entries({ name, hostname: name, ip: '10.0.0.1', ...labels })),
});
const from = (by: string, strip: 'port' | 'none' = 'port'): FrozenTargets => ({
  from: { label: 'instance', strip, by },
  select: null,
  onMissing: 'refuse',
});
const episodeAt = (instance: string, more: [string, string][] = []) =>
  anEpisode({ id: `${instance}@1`, labels: [['instance', instance], ...more] });
const planOf = (of: Partial<Parameters<typeof selectTargets>[0]>) =>
  selectTargets({
    targets: from('hostname'),
    episodes: [episodeAt('web1:9100')],
    agents: [agent('web1'), agent('web2')],
    select: () => true,
    targetsMax: 20_000,
    ...of,
  });

describe('from labels to hosts', () => {
  it('finds the one agent, and says which alert meant it', () => {
    const plan = planOf({ episodes: [episodeAt('web2:9100'), episodeAt('web1:9100')] });

    assert.equal(plan.kind, 'planned');
    assert.deepEqual(
      plan.kind === 'planned' && plan.targets.map(({ name, episodes }) => [name, episodes]),
      [
        ['web1', [1]],
        ['web2', [0]],
      ],
    );
  });

  it('named hosts are those alone, by id or name, each once; one that is not enrolled refuses all', () => {
    const named = (...agents: readonly string[]) =>
      planOf({ targets: { from: null, select: null, onMissing: 'skip', agents } });
    const agents = Array.from({ length: 250 }, (_, at) => agent(`host${at}`));

    const plan = named('web2', 'web20000000'.padEnd(12, '0'));
    const many = planOf({
      agents,
      targets: { from: null, select: null, onMissing: 'refuse', agents: ['host0', 'host249'] },
    });

    assert.deepEqual(plan.kind === 'planned' && plan.targets.map(({ name }) => name), ['web2']);
    assert.equal(many.kind === 'planned' && many.targets.length, 2);
    assert.deepEqual(named('web1', 'web9'), {
      ...{ kind: 'held', reason: 'no_target' },
      detail:
        'no agent has the id or name web9: 1 of 2 hosts that were named are not enrolled, 0 may; enrol them, or name others',
    });
    assert.equal(named().kind, 'held', 'empty never means all');
  });

  it('of the hosts that alerts or labels find, some alone', () => {
    const some = planOf({
      targets: {
        from: null,
        select: ['a=b'],
        onMissing: 'refuse',
        agents: [agent('web2').agentId],
      },
    });
    const none = planOf({
      targets: { ...from('hostname'), agents: [agent('web2').agentId] },
    });

    assert.deepEqual(some.kind === 'planned' && some.targets.map(({ name }) => name), ['web2']);
    assert.equal(none.kind === 'held' && none.reason, 'no_target');
  });

  it('no agent, two agents, no label and too many hosts are refusals with a reason', () => {
    const reasonOf = (plan: ReturnType<typeof planOf>) =>
      plan.kind === 'held' ? plan.reason : plan.kind;

    assert.equal(reasonOf(planOf({ episodes: [episodeAt('db9:1')] })), 'no_target');
    assert.equal(
      reasonOf(planOf({ agents: [agent('web1'), { ...agent('web1'), agentId: 'other0000000' }] })),
      'ambiguous_target',
    );
    assert.equal(reasonOf(planOf({ episodes: [anEpisode({ labels: [] })] })), 'missing_label');
    assert.equal(
      reasonOf(
        planOf({ targets: { from: null, select: ['a=b'], onMissing: 'refuse' }, targetsMax: 1 }),
      ),
      'too_many_targets',
    );
  });

  it('an empty selection never means all', () => {
    const everybody = planOf({ targets: { from: null, select: [], onMissing: 'refuse' } });
    const nobody = planOf({
      targets: { from: null, select: ['service=x'], onMissing: 'refuse' },
      select: () => false,
    });

    assert.equal(everybody.kind, 'held');
    assert.equal(nobody.kind, 'held');
  });

  it('onMissing: skip goes on with those that were found, and says who was not', () => {
    const episodes = [episodeAt('web1:9100'), episodeAt('db9:1')];
    const plan = planOf({ targets: { ...from('hostname'), onMissing: 'skip' }, episodes });

    assert.deepEqual(plan.kind === 'planned' && plan.skipped, ['db9']);
    assert.equal(planOf({ episodes }).kind, 'held');
  });

  it('an address belongs to a cloud area', () => {
    const agents = [agent('web1', { cloud_id: '0' }), agent('web2', { cloud_id: '2' })];
    const planned = (episode: ReturnType<typeof episodeAt>) => {
      const plan = planOf({ targets: from('ip'), agents, episodes: [episode] });
      return plan.kind === 'planned' ? plan.targets[0]?.name : plan.reason;
    };

    assert.equal(planned(episodeAt('10.0.0.1:9100')), 'web1');
    assert.equal(planned(episodeAt('10.0.0.1:9100', [['cloud_id', '2']])), 'web2');
    assert.equal(planned(episodeAt('10.0.0.1:9100', [['cloud_id', '7']])), 'no_target');
  });

  it('strips a port where there is one, and leaves addresses whole', () => {
    assert.equal(hostValue('web1:9100', 'port'), 'web1');
    assert.equal(hostValue('web1', 'port'), 'web1');
    assert.equal(hostValue('[fe80::1]:9100', 'port'), 'fe80::1');
    assert.equal(hostValue('[fe80::1]', 'port'), 'fe80::1');
    assert.equal(hostValue('fe80::1', 'port'), 'fe80::1');
    assert.equal(hostValue('web1:9100', 'none'), 'web1:9100');
    assert.equal(hostValue('', 'port'), null);
    assert.equal(hostValue(undefined, 'port'), null);
  });
});
