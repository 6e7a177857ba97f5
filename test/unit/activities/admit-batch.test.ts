import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AdmitDeps, admitBatch } from '../../../activities/admit-batch.ts';
import type { FrozenGuards } from '../../../contracts/frozen.ts';
import { admit, type Holds, release } from '../../../domain/blast-radius.ts';
import { errorPolicies, FixpointError } from '../../../domain/errors.ts';
import { noCrashPoints } from '../../../platform/crash-point.ts';

const agent = (agentId: string, service: string, zone = 'a') => ({
  agentId,
  journalId: 'j'.repeat(26),
  labels: new Map(Object.entries({ service, zone })),
});
const fleet = ['h0', 'h1', 'h2', 'h3'].map((id) => agent(id, 'web'));

/** A governor that keeps its holds in memory; `isFenced` says that they are not to be trusted. */
function aGovernor(holds: Holds = new Map()) {
  const governor = {
    holds,
    isFenced: false,
    async admit(admission: Parameters<typeof admit>[1]) {
      if (governor.isFenced) return { kind: 'fenced' as const };
      const judged = admit(governor.holds, admission);
      governor.holds = judged.holds;
      return { kind: 'judged' as const, verdicts: judged.verdicts };
    },
    async release(of: Parameters<typeof release>[1]) {
      if (governor.isFenced) return { kind: 'fenced' as const };
      governor.holds = release(governor.holds, of);
      return { kind: 'released' as const };
    },
  };
  return governor;
}

const mine = 'remediation:restart-web:web~00000000:12345678-1';
const stop = { reason: 'worse', by: 'ada', at: 1 };

describe('admitting a batch', () => {
  const ask = async (
    of: {
      readonly hosts?: readonly string[];
      readonly free?: readonly string[];
      readonly remediationId?: string;
      readonly guards?: Partial<FrozenGuards>;
    } & Partial<AdmitDeps> & { readonly governor?: ReturnType<typeof aGovernor> },
  ) => {
    const { hosts = ['h0', 'h1'], free = [], guards = {}, ...rest } = of;
    const { remediationId = 'remediation:mine', ...over } = rest;
    const counted: [string, number][] = [];
    const deps: AdmitDeps = {
      inventory: async () => ({ complete: true, agents: fleet }),
      governor: aGovernor(),
      stops: async () => [],
      connected: async (agentIds) => new Set(agentIds),
      blastRadius: undefined,
      judged: (...of) => counted.push(of),
      crash: noCrashPoints,
      ...over,
    };
    const answer = await admitBatch(deps, {
      remediationId,
      guards: { domainBy: ['zone'], ...guards },
      release: free,
      hosts,
      places: [['zone=a']],
      of: hosts.map(() => 0),
    });
    return { answer, counted };
  };

  it('the default cap of four agents is one: the second host is refused with limit and use', async () => {
    const { answer, counted } = await ask({});

    assert.deepEqual(answer, {
      letters: 'gc',
      refusals: [{ reason: 'cap_reached', domain: 'zone=a', limit: 1, used: 1, hosts: 1 }],
      services: ['web'],
      of: [0, 0],
    });
    assert.deepEqual(counted, [
      ['granted', 1],
      ['cap_reached', 1],
    ]);
  });

  it('agents that fell away since the plan leave a smaller cap', async () => {
    const guards = { blastRadius: '50%' };
    const fewer = async () => ({ complete: true, agents: fleet.slice(0, 2) });

    assert.equal((await ask({ guards })).answer.letters, 'gg');
    assert.equal((await ask({ guards, inventory: fewer })).answer.letters, 'gc');
  });

  it('what is proven is free before others are judged, in the same call', async () => {
    const governor = aGovernor();

    const first = await ask({ governor, hosts: ['h0'] });
    const second = await ask({ governor, hosts: ['h1'], free: ['h0'] });

    assert.deepEqual([first.answer.letters, second.answer.letters], ['g', 'g']);
    assert.deepEqual([...governor.holds.keys()], ['h1']);
  });

  it('asked again after its answer was lost it gives the same one, and holds nothing twice', async () => {
    const governor = aGovernor();

    const first = await ask({ governor });
    const again = await ask({ governor });

    assert.equal(again.answer.letters, first.answer.letters);
    assert.equal(governor.holds.size, 1);
  });

  it('a floor counts connected hosts of the service now, and one that is away takes nothing', async () => {
    const guards = { blastRadius: 4, floor: 2 };
    const connected = async (agentIds: readonly string[]) =>
      new Set(agentIds.filter((id) => id !== 'h0'));

    const { answer } = await ask({ guards, connected, hosts: ['h0', 'h1', 'h2'] });

    assert.equal(answer.letters, 'ggf');
    assert.deepEqual(answer.refusals, [
      { reason: 'floor', service: 'web', floor: 2, available: 2, hosts: 1 },
    ]);
    assert.deepEqual(answer.of, [-1, 0, 0]);
  });

  it('a floor in percent is of the enrolled agents of the service, rounded up', async () => {
    const guards = { blastRadius: 4, floor: '51%' };
    const two = async () => ({ complete: true, agents: [...fleet, agent('db', 'db')] });

    const { answer } = await ask({ guards, inventory: two, hosts: ['h0', 'h1'] });

    assert.equal(answer.letters, 'gf');
  });

  it('nobody of a stopped policy is granted, and what is proven is free all the same', async () => {
    const governor = aGovernor();
    await ask({ governor, remediationId: mine, hosts: ['h0'] });

    const { answer, counted } = await ask({
      ...{ governor, remediationId: mine, hosts: ['h1'], free: ['h0'] },
      stops: async () => [{ ...stop, scope: { policy: 'restart-web' } }],
    });

    assert.equal(answer.letters, 's');
    assert.equal(answer.stop?.reason, 'worse');
    assert.deepEqual(counted, [['stopped', 1]]);
    assert.equal(governor.holds.size, 0);
  });

  it('a host of a stopped domain is refused with who and why, and the others are judged', async () => {
    const zones = async () => ({
      complete: true,
      agents: [agent('h0', 'web', 'b'), ...fleet.slice(1)],
    });
    const stops = async () => [{ ...stop, scope: { domain: 'zone=b' } }];
    const guards = { blastRadius: 4 };

    const { answer } = await ask({ guards, inventory: zones, stops, hosts: ['h0', 'h1'] });
    const alone = await ask({ guards, inventory: zones, stops, hosts: ['h0'] });

    assert.equal(answer.letters, 'sg');
    assert.deepEqual(answer.refusals, [
      { reason: 'stopped', stop: { ...stop, scope: { domain: 'zone=b' } }, hosts: 1 },
    ]);
    assert.equal(answer.stop, undefined);
    assert.equal(alone.answer.letters, 's');
  });

  it('while the switch is not known nobody is admitted', async () => {
    const governor = aGovernor();
    const stops = async () => Promise.reject(new FixpointError('upstream_unavailable', 'lost'));

    await assert.rejects(ask({ governor, stops }), /lost/);
    assert.equal(governor.holds.size, 0);
  });

  it('holds or an inventory that are not whole are errors that are tried again: nobody passes', async () => {
    const governor = aGovernor();
    governor.isFenced = true;
    const part = async () => ({ complete: false, agents: fleet });
    const later = (code: string) => (error: unknown) => {
      assert.ok(error instanceof FixpointError);
      assert.equal(error.code, code);
      assert.equal(errorPolicies[error.code].retry, 'later');
      return true;
    };

    await assert.rejects(ask({ governor }), later('upstream_unavailable'));
    await assert.rejects(ask({ governor, free: ['h1'] }), later('upstream_unavailable'));
    await assert.rejects(ask({ inventory: part }), later('inventory_incomplete'));
    assert.equal(governor.holds.size, 0);
  });
});
