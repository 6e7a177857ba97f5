import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { capsOf, domainSizes, domainsOf, planDomains } from '../../../domain/fault-domains.ts';
import { keptShareOf, shareOf } from '../../../domain/share.ts';

const labels = (of: Readonly<Record<string, string>>) => new Map(Object.entries(of));
const agent = (agentId: string, of: Readonly<Record<string, string>>) => ({
  agentId,
  labels: labels(of),
});

describe('fault domains', () => {
  it('a host is in one domain for each label that it has, the widest first, or else in none', () => {
    const guards = { domainBy: ['zone', 'rack'] };

    assert.deepEqual(domainsOf(labels({ rack: '7', zone: 'a' }), guards), ['zone=a', 'rack=7']);
    assert.deepEqual(domainsOf(labels({ rack: '7' }), guards), ['rack=7']);
    assert.deepEqual(domainsOf(labels({ service: 'web' }), guards), ['none']);
  });

  it('a host counts in the domains of other policies too, so that these see it', () => {
    const guards = { domainBy: ['zone'], countedBy: [['rack'], ['zone', 'room']] };

    assert.deepEqual(domainsOf(labels({ zone: 'a', rack: '7' }), guards), ['zone=a', 'rack=7']);
    assert.deepEqual(domainsOf(labels({ room: '1' }), guards), ['none', 'room=1']);
  });

  it('sizes are the enrolled agents, and a cap is a share of them: rounded down, at least one', () => {
    const guards = { domainBy: ['zone'], blastRadius: '30%' };
    const agents = [
      ...Array.from({ length: 9 }, (_, at) => agent(`a${at}`, { zone: 'a' })),
      agent('b', { zone: 'b' }),
      agent('c', {}),
    ];

    const sizes = domainSizes(agents, guards);

    assert.deepEqual(
      [...sizes],
      [
        ['zone=a', 9],
        ['zone=b', 1],
        ['none', 1],
      ],
    );
    assert.deepEqual(
      [...capsOf({ sizes, guards, blastRadius: undefined })],
      [
        ['zone=a', 2],
        ['zone=b', 1],
        ['none', 1],
      ],
    );
  });

  it('the smaller of policy and configuration is the cap, and without both a quarter', () => {
    const sizes = new Map([['zone=a', 40]]);
    const capOf = (own: number | string | undefined, global: number | string | undefined) =>
      capsOf({
        sizes,
        guards: { domainBy: ['zone'], ...(own === undefined ? {} : { blastRadius: own }) },
        blastRadius: global,
      }).get('zone=a');

    assert.equal(capOf(undefined, undefined), 10);
    assert.equal(capOf('50%', undefined), 20);
    assert.equal(capOf('50%', 7), 7);
    assert.equal(capOf(3, '50%'), 3);
    assert.equal(capOf(undefined, '50%'), 20);
  });

  it('a domain of another policy has no cap of this one, but the one of the configuration', () => {
    const guards = { domainBy: ['zone'], countedBy: [['rack']], blastRadius: 5 };
    const sizes = new Map([
      ['zone=a', 40],
      ['rack=7', 20],
    ]);

    assert.deepEqual([...capsOf({ sizes, guards, blastRadius: undefined })], [['zone=a', 5]]);
    assert.deepEqual(
      [...capsOf({ sizes, guards, blastRadius: '10%' })],
      [
        ['zone=a', 4],
        ['rack=7', 2],
      ],
    );
  });

  it('a plan of 10,000 hosts tells where they stand in a number each', () => {
    const guards = { domainBy: ['zone', 'rack'] };
    const targets = Array.from({ length: 10_000 }, (_, at) =>
      agent(`a${at}`, { zone: `z${at % 3}`, rack: `r${at % 500}` }),
    );
    const sizes = domainSizes(targets, guards);
    const caps = capsOf({ sizes, guards, blastRadius: undefined });

    const domains = planDomains({ targets, sizes, caps, guards });

    assert.ok(JSON.stringify(domains).length < 100_000);
    const at = 4_711;
    const place = domains.places[domains.of[at] ?? -1] ?? [];
    assert.deepEqual(
      place.map((name) => domains.names[name]),
      ['zone=z1', 'rack=r211'],
    );
    assert.deepEqual(
      place.map((name) => domains.sizes[name]),
      [3_333, 20],
    );
    assert.deepEqual(
      place.map((name) => domains.caps[name]),
      [833, 5],
    );
  });
});

describe('shares', () => {
  it('what may be touched is rounded down to at least one, what must stay is rounded up', () => {
    assert.deepEqual([shareOf('10%', 9), shareOf('10%', 29), shareOf('29%', 100)], [1, 2, 29]);
    assert.deepEqual(
      [keptShareOf('10%', 9), keptShareOf('10%', 21), keptShareOf('7%', 100)],
      [1, 3, 7],
    );
    assert.deepEqual([shareOf(5, 2), keptShareOf(5, 2)], [5, 5]);
  });
});
