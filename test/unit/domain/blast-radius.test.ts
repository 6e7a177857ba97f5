import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type Admission,
  admit,
  countsOf,
  type Floor,
  type Holds,
  type HostToHold,
  release,
  releaseAll,
} from '../../../domain/blast-radius.ts';
import { anAdmission, governorHistory } from '../../support/governor-histories.ts';

const host = (agentId: string, over: Partial<HostToHold> = {}): HostToHold => ({
  agentId,
  domains: ['zone=a'],
  service: 'web',
  isHealthy: true,
  ...over,
});

const asked = (
  remediationId: string,
  hosts: readonly HostToHold[],
  of: { caps?: Record<string, number>; floors?: Record<string, Floor> } = {},
): Admission => ({
  remediationId,
  hosts,
  caps: new Map(Object.entries(of.caps ?? {})),
  floors: new Map(Object.entries(of.floors ?? {})),
});

const nothing: Holds = new Map();
const granted = { kind: 'granted' };

describe('blast radius', () => {
  it('a host that another remediation holds is refused with the holder, and free again after its release', () => {
    const { holds } = admit(nothing, asked('one', [host('h1')]));

    const second = admit(holds, asked('two', [host('h1'), host('h2')]));
    const after = release(second.holds, { remediationId: 'one', agentIds: ['h1'] });

    assert.deepEqual(second.verdicts, [{ kind: 'refused', reason: 'held', by: 'one' }, granted]);
    assert.deepEqual(admit(after, asked('two', [host('h1')])).verdicts, [granted]);
  });

  it('asking again for what one holds changes nothing, even where the cap is lower now', () => {
    const first = admit(nothing, asked('one', [host('h1'), host('h2')]));

    const again = admit(
      first.holds,
      asked('one', [host('h1', { domains: ['zone=b'] }), host('h2'), host('h2')], {
        caps: { 'zone=a': 0, 'zone=b': 0 },
      }),
    );

    assert.deepEqual(again.verdicts, [granted, granted, granted]);
    assert.deepEqual(again.holds, first.holds);
  });

  it('a cap counts the hosts of all remediations, and each grant counts for the next host', () => {
    const caps = { 'zone=a': 3 };
    const { holds } = admit(nothing, asked('one', [host('h1'), host('h2')], { caps }));

    const second = admit(holds, asked('two', [host('h3'), host('h4'), host('h5')], { caps }));

    const refused = { kind: 'refused', reason: 'cap', domain: 'zone=a', limit: 3, used: 3 };
    assert.deepEqual(second.verdicts, [granted, refused, refused]);
  });

  it('a host of several domains needs room in each, and takes none where it is refused', () => {
    const both = { domains: ['zone=a', 'rack=7'] };
    const caps = { 'zone=a': 9, 'rack=7': 1 };

    const { verdicts, holds } = admit(
      nothing,
      asked('one', [host('h1', both), host('h2', both), host('h3')], { caps }),
    );

    const refused = { kind: 'refused', reason: 'cap', domain: 'rack=7', limit: 1, used: 1 };
    assert.deepEqual(verdicts, [granted, refused, granted]);
    assert.deepEqual(Object.fromEntries(countsOf(holds).domains), { 'zone=a': 2, 'rack=7': 1 });
  });

  it('a domain that a host names twice counts it once', () => {
    const twice = host('h1', { domains: ['zone=a', 'zone=a'] });

    const { holds } = admit(nothing, asked('one', [twice], { caps: { 'zone=a': 1 } }));

    assert.equal(countsOf(holds).domains.get('zone=a'), 1);
  });

  it('keeps the floor of healthy hosts, counting those that others hold as taken', () => {
    const floors = { web: { floor: 3, healthy: 5 } };
    const { holds } = admit(nothing, asked('one', [host('h1')], { floors }));

    const { verdicts } = admit(holds, asked('two', [host('h2'), host('h3')], { floors }));

    const refused = { kind: 'refused', reason: 'floor', service: 'web', floor: 3, available: 3 };
    assert.deepEqual(verdicts, [granted, refused]);
  });

  it('a host that is not healthy never lowers the floor, whatever becomes of its health', () => {
    const floors = { web: { floor: 5, healthy: 5 } };
    const ill = host('h1', { isHealthy: false });
    const { holds, verdicts } = admit(nothing, asked('one', [ill], { floors }));

    assert.deepEqual(verdicts, [granted]);
    assert.equal(countsOf(holds).services.size, 0);
    assert.deepEqual(
      admit(holds, asked('one', [host('h1')], { floors })).verdicts,
      [granted],
      'held already',
    );
    const [second] = admit(holds, asked('two', [host('h2')], { floors })).verdicts;
    assert.deepEqual(second, {
      kind: 'refused',
      reason: 'floor',
      service: 'web',
      floor: 5,
      available: 5,
    });
  });

  it('a floor above what is healthy refuses every healthy host, and one without a floor none', () => {
    const floors = { web: { floor: 2, healthy: 0 } };

    const { verdicts } = admit(
      nothing,
      asked('one', [host('h1'), host('h2', { service: 'db' }), host('h3', { service: null })], {
        floors,
      }),
    );

    assert.deepEqual(verdicts, [
      { kind: 'refused', reason: 'floor', service: 'web', floor: 2, available: 0 },
      granted,
      granted,
    ]);
  });

  it('releases only what the remediation holds, and may be repeated', () => {
    const one = admit(nothing, asked('one', [host('h1'), host('h2')])).holds;
    const { holds } = admit(one, asked('two', [host('h3')]));

    const freed = release(holds, { remediationId: 'one', agentIds: ['h1', 'h3', 'h9', 'h1'] });

    assert.deepEqual([...freed.keys()], ['h2', 'h3']);
    assert.deepEqual(release(freed, { remediationId: 'one', agentIds: ['h1'] }), freed);
    assert.deepEqual(release(holds, { remediationId: 'one', agentIds: [] }), holds);
    assert.deepEqual([...releaseAll(freed, 'one').keys()], ['h3']);
    assert.deepEqual(releaseAll(freed, 'three'), freed);
  });

  it('no history takes a domain over its cap, a service below its floor or a host to two holders', () => {
    fc.assert(
      fc.property(governorHistory(), ({ caps, floors, steps }) => {
        let holds: Holds = new Map();
        for (const step of steps) {
          const before = holds;
          if (step.kind === 'admit') {
            const { verdicts, holds: after } = admit(holds, anAdmission(step, { caps, floors }));
            holds = after;
            const mine = new Set(
              step.hosts.flatMap(({ agentId }, at) =>
                verdicts[at]?.kind === 'granted' ? [agentId] : [],
              ),
            );
            for (const { agentId } of step.hosts) {
              const holder: string | undefined = holds.get(agentId)?.remediationId;
              assert.equal(holder === step.remediationId, mine.has(agentId));
            }
            // Nobody loses a hold because another one asks.
            for (const [id, hold] of before) assert.equal(holds.get(id), hold);
          } else if (step.kind === 'release') holds = release(holds, step);
          else holds = releaseAll(holds, step.remediationId);
          const counts = countsOf(holds);
          for (const [name, used] of counts.domains) assert.ok(used <= (caps.get(name) ?? used));
          for (const [name, held] of counts.services) {
            const { floor, healthy } = floors.get(name) ?? { floor: 0, healthy: held };
            assert.ok(healthy - held >= floor);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
