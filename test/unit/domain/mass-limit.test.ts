import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { alertingHost } from '../../../domain/alerting-host.ts';
import { massLimit } from '../../../domain/mass-limit.ts';
import { stormRefusal } from '../../../domain/storm-refusal.ts';

describe('how many hosts may alert at once', () => {
  it('a tenth of the fleet, at least 20, where the policy says nothing', () => {
    const counts = [0, 3, 199, 200, 219, 10_000].map((fleet) => massLimit(undefined, fleet).hosts);

    assert.deepEqual(counts, [20, 20, 20, 20, 21, 1_000]);
    assert.match(massLimit(undefined, 300).text, /10% of 300 enrolled hosts, at least 20/);
  });

  it('what the policy says: a number, or a percentage rounded down and at least one', () => {
    assert.equal(massLimit(5, 10_000).hosts, 5);
    assert.equal(massLimit('50%', 7).hosts, 3);
    assert.equal(massLimit('1%', 7).hosts, 1);
    assert.equal(massLimit('50%', 7).text, '50% of 7 enrolled');
    assert.ok(massLimit('off', 7).hosts > 20_000);
  });

  it('a refusal names limit, use, where both are from, until when and what to do', () => {
    const storm = { id: '1', domain: 'zone=eu-1', hosts: 31, limit: 20, limitText: 'by default' };

    const refusal = stormRefusal({ ...storm, sinceMs: 0, untilMs: 60_000 }, 60_000);

    assert.match(
      refusal.detail,
      /31 hosts in zone=eu-1 alert within 1m, 20 may \(guards\.massHosts: by default\).*1970-01-01T00:01:00.000Z.*raise guards\.massHosts/,
    );
  });
});

describe('the host that an alert is about', () => {
  const from = { label: 'node', strip: 'port', by: 'hostname' } as const;
  const host = (labels: readonly [string, string][], of: Parameters<typeof alertingHost>[1]) =>
    alertingHost({ fingerprint: 'f', labels: labels.map(([name, value]) => [name, value]) }, of);

  it('is what the policy looks up, else the instance, else the alert itself', () => {
    const both: [string, string][] = [
      ['node', 'a:1'],
      ['instance', 'b:2'],
    ];

    assert.equal(host(both, { from }), 'a');
    assert.equal(host(both, { from: null }), 'b');
    assert.equal(host([['node', '']], { from }), 'f');
  });
});
