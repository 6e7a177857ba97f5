import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { packTargets, unpackTargets } from '../../../domain/packed-targets.ts';
import { someTargets } from '../../support/builders.ts';

describe('packed targets', () => {
  const roundTrip = (targets: Parameters<typeof packTargets>[0]) => {
    const packed = packTargets(targets);
    assert.ok(packed);
    return unpackTargets(JSON.parse(JSON.stringify(packed)) as typeof packed);
  };

  it('are what they were, with names and episodes and without', () => {
    const named = someTargets(3);
    const plain = named.map(({ agentId, journalId }) => ({ agentId, journalId }));

    assert.deepEqual(roundTrip(named), named);
    assert.deepEqual(roundTrip(plain), plain);
    assert.deepEqual(roundTrip([]), []);
  });

  it('20,000 hosts are below 800 KB', () => {
    const plain = someTargets(20_000).map(({ agentId, journalId }) => ({ agentId, journalId }));

    assert.ok(JSON.stringify(packTargets(plain)).length < 800_000);
  });

  it('ids of another length, or names of some hosts only, are not packed', () => {
    const [first, second] = someTargets(2);
    assert.ok(first && second);

    assert.equal(packTargets([{ ...first, agentId: 'agent-1' }]), null);
    assert.equal(
      packTargets([first, { agentId: second.agentId, journalId: second.journalId }]),
      null,
    );
  });
});
