import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { batchSizes } from '../../../domain/batch-expression.ts';
import { planBatches } from '../../../domain/batch-plan.ts';
import { aBatchExpression, partsOf } from '../../support/batch-expressions.ts';

type Host = { readonly domains: readonly string[] };

const uncapped = () => Number.POSITIVE_INFINITY;
const zones = (counts: Readonly<Record<string, number>>): readonly Host[] =>
  Object.entries(counts).flatMap(([zone, count]) =>
    Array.from({ length: count }, () => ({ domains: [zone] })),
  );

function batchesFor(
  hosts: readonly Host[],
  expression: string | number,
  capOf: (domain: string) => number = uncapped,
): readonly (readonly number[])[] {
  const plan = planBatches({ hosts, parts: partsOf(expression), capOf });
  assert.equal(plan.kind, 'planned');
  return plan.kind === 'planned' ? plan.batches : [];
}

/** How many hosts of each domain a batch has. */
function countsOf(hosts: readonly Host[], batch: readonly number[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const position of batch) {
    for (const domain of new Set(hosts[position]?.domains)) {
      counts.set(domain, (counts.get(domain) ?? 0) + 1);
    }
  }
  return counts;
}

const sizesOf = (batches: readonly (readonly number[])[]) => batches.map(({ length }) => length);

describe('batch plan', () => {
  it('takes hosts of one domain in plan order, in the sizes of the expression', () => {
    const hosts = zones({ a: 7 });

    assert.deepEqual(batchesFor(hosts, '1 10% +5 *2'), [[0], [1], [2, 3, 4, 5, 6]]);
    assert.deepEqual(batchesFor([], 5), []);
  });

  it('takes the canary from different domains, and every batch from all that have hosts left', () => {
    const hosts = zones({ a: 4, b: 4, c: 2 });

    // Positions 0 to 3 are in a, 4 to 7 in b, 8 and 9 in c.
    assert.deepEqual(batchesFor(hosts, '3 4'), [
      [0, 4, 8],
      [1, 5, 9, 2],
      [6, 3, 7],
    ]);
  });

  it('takes the canary from most domains also where hosts have several, and racks are uneven', () => {
    const host = (zone: string, rack: string): Host => ({ domains: [zone, rack] });
    const hosts = [
      ...[host('a', 'a1'), host('a', 'a1'), host('a', 'a1')],
      ...[host('b', 'b1'), host('b', 'b2'), host('b', 'b3')],
    ];

    // Of zone a there is but one rack: a second host of it would bring nothing new.
    const [canary = []] = batchesFor(hosts, '4 2');
    const [two = []] = batchesFor(hosts, '2 4');

    assert.equal(countsOf(hosts, canary).size, 6);
    assert.equal(countsOf(hosts, two).size, 4);
  });

  it('makes a batch smaller where a cap binds, and goes on in later batches', () => {
    const hosts = zones({ a: 10, b: 3 });
    const capOf = (domain: string) => (domain === 'a' ? 2 : 3);

    const batches = batchesFor(hosts, '5', capOf);

    assert.deepEqual(sizesOf(batches), [5, 2, 2, 2, 2]);
    assert.deepEqual(
      batches.map((batch) => countsOf(hosts, batch).get('a')),
      [2, 2, 2, 2, 2],
    );
  });

  it('a cap leaves later batches the sizes that the expression gives them', () => {
    const hosts = zones({ a: 30 });

    // Uncapped 2 4 8 16: the batch that a cap made smaller does not make the next one smaller.
    assert.deepEqual(sizesOf(batchesFor(hosts, '2 *2', () => 7)), [2, 4, 7, 7, 7, 3]);
  });

  it('counts a domain that a host names twice once', () => {
    const hosts = [{ domains: ['a', 'a'] }, { domains: ['a'] }];

    assert.deepEqual(sizesOf(batchesFor(hosts, 2, () => 2)), [2]);
  });

  it('refuses what caps cut into more than 500 batches, and says how many hosts are left over', () => {
    const plan = planBatches({ hosts: zones({ a: 503 }), parts: partsOf(100), capOf: () => 1 });

    assert.deepEqual(plan, { kind: 'too_many_batches', hostsLeft: 3 });
  });

  it('a cap that no host fits is a bug of the caller', () => {
    const plan = (cap: number) => () =>
      planBatches({ hosts: zones({ a: 1 }), parts: partsOf(1), capOf: () => cap });

    assert.throws(plan(0), /the cap of a is 0/);
    assert.throws(plan(Number.NaN), /the cap of a is NaN/);
  });

  const domain = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const fleet = (most: number) =>
    fc.array(fc.record({ domains: fc.array(domain, { minLength: 0, maxLength: most }) }), {
      maxLength: 120,
    });
  const caps = fc.dictionary(domain, fc.integer({ min: 1, max: 40 }));
  const capIn = (of: Readonly<Record<string, number>>) => (name: string) =>
    of[name] ?? Number.POSITIVE_INFINITY;

  it('every host is in one batch, none above a cap or its size, whatever hosts, caps and expression', () => {
    fc.assert(
      fc.property(fleet(3), caps, aBatchExpression(), (hosts, limits, expression) => {
        const of = { hosts, parts: partsOf(expression), capOf: capIn(limits) };
        const plan = planBatches(of);
        assert.deepEqual(plan, planBatches(of));
        if (plan.kind !== 'planned') return assert.fail('120 hosts need no 500 batches');
        assert.deepEqual(
          plan.batches.flat().sort((left, right) => left - right),
          hosts.map((_, position) => position),
        );
        for (const batch of plan.batches) {
          assert.ok(batch.length > 0);
          for (const [name, count] of countsOf(hosts, batch))
            assert.ok(count <= capIn(limits)(name));
        }
        const uncut = batchSizes(of.parts, hosts.length);
        const firstSize = uncut.kind === 'sizes' ? (uncut.sizes[0] ?? 0) : 0;
        assert.ok((plan.batches[0]?.length ?? 0) <= firstSize);
      }),
      { numRuns: 1_000 },
    );
  });

  it('a batch smaller than its size has no room for any host that waits', () => {
    fc.assert(
      fc.property(fleet(2), caps, fc.integer({ min: 1, max: 50 }), (hosts, limits, size) => {
        const batches = batchesFor(hosts, size, capIn(limits));
        for (const [at, batch] of batches.entries()) {
          if (batch.length === size) continue;
          const counts = countsOf(hosts, batch);
          for (const position of batches.slice(at + 1).flat()) {
            const isFull = (name: string) => (counts.get(name) ?? 0) >= capIn(limits)(name);
            assert.ok(hosts[position]?.domains.some(isFull), `${position} had room`);
          }
        }
      }),
    );
  });

  it('where no cap binds the sizes are those of the expression', () => {
    fc.assert(
      fc.property(fleet(3), aBatchExpression(), (hosts, expression) => {
        const sizes = batchSizes(partsOf(expression), hosts.length);
        const batches = batchesFor(hosts, expression, () => Math.max(1, hosts.length));
        assert.deepEqual(sizes, { kind: 'sizes', sizes: sizesOf(batches) });
      }),
    );
  });

  it('the canary has hosts of as many domains as there can be', () => {
    const fleetOfZones = fc.array(fc.record({ domains: fc.tuple(domain) }), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(fleetOfZones, fc.integer({ min: 1, max: 8 }), caps, (hosts, size, limits) => {
        const [canary = []] = batchesFor(hosts, size, capIn(limits));
        const all = new Set(hosts.flatMap(({ domains }) => domains));
        assert.equal(countsOf(hosts, canary).size, Math.min(size, all.size));
      }),
    );
  });

  it('of two domains that both have hosts left, no batch has two more of one than of the other', () => {
    const fleetOfZones = fc.array(fc.record({ domains: fc.tuple(domain) }), { maxLength: 80 });
    fc.assert(
      fc.property(fleetOfZones, aBatchExpression(), (hosts, expression) => {
        const batches = batchesFor(hosts, expression);
        for (const [at, batch] of batches.entries()) {
          const counts = countsOf(hosts, batch);
          const waiting = countsOf(hosts, batches.slice(at + 1).flat());
          const shares = [...waiting.keys()].map((name) => counts.get(name) ?? 0);
          assert.ok(shares.length === 0 || Math.max(...shares) - Math.min(...shares) <= 1);
        }
      }),
    );
  });

  it('plans 20,000 hosts within the time of a workflow task, also in 500 batches that caps cut', () => {
    const hosts = Array.from({ length: 20_000 }, (_, at) => ({
      domains: [`zone=${at % 3}`, `rack=${at % 700}`],
    }));
    const timed = (expression: string, capOf: (name: string) => number) => {
      const from = performance.now();
      const batches = batchesFor(hosts, expression, capOf);
      return { ms: performance.now() - from, batches: batches.length };
    };
    const growing = timed('1 10% +5 *2', uncapped);
    const small = timed('40', uncapped);
    const cut = timed('50%', (name) => (name.startsWith('zone') ? 14 : 1));

    assert.deepEqual([growing.batches, small.batches, cut.batches], [6, 500, 477]);
    // Well below Temporal's 2 s for a workflow task, and with room for a busy machine.
    for (const { ms } of [growing, small, cut]) assert.ok(ms < 500, `${ms} ms`);
  });
});
