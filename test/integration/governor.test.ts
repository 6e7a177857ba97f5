import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type Admission,
  admit,
  countsOf,
  type Holds,
  type HostToHold,
  release,
  releaseAll,
} from '../../domain/blast-radius.ts';
import { systemClock } from '../../platform/clock.ts';
import { connectRedis } from '../../redis/connect.ts';
import { type Admitted, Governor } from '../../redis/governor.ts';
import {
  anAdmission,
  type GovernorHistory,
  type GovernorStep,
  governorHistory,
  historyRemediations,
} from '../support/governor-histories.ts';
import { type GovernorSite, keysFor, keysOf, startGovernorSite } from '../support/governor-site.ts';

const nothing: Holds = new Map();
const granted = { kind: 'granted' };

const host = (agentId: string, over: Partial<HostToHold> = {}): HostToHold => ({
  agentId,
  domains: ['zone=a'],
  service: null,
  isHealthy: true,
  ...over,
});
const asked = (
  remediationId: string,
  hosts: readonly HostToHold[],
  caps: Readonly<Record<string, number>> = {},
): Admission => ({
  ...{ remediationId, hosts },
  caps: new Map(Object.entries(caps)),
  floors: new Map(),
});

const verdictsOf = (admitted: Admitted) =>
  admitted.kind === 'judged' ? admitted.verdicts : assert.fail('the governor is fenced');

// Who holds what is decided in Redis; the rule in `domain/blast-radius.ts` is its model.
describe('governor', () => {
  let site: GovernorSite;
  before(async () => {
    site = await startGovernorSite();
    // Nothing here is about what a crash leaves, and 100,000 steps need no disk.
    await site.redis.config('SET', 'appendfsync', 'no');
  });
  beforeEach(() => site.open());
  after(() => site.stop());

  /** What Redis answers to a step. */
  const asksRedis = async (step: GovernorStep, history: Omit<GovernorHistory, 'steps'>) => {
    const { governor } = site;
    if (step.kind === 'admit') return verdictsOf(await governor.admit(anAdmission(step, history)));
    return step.kind === 'release'
      ? governor.release(step)
      : governor.releaseAll(step.remediationId);
  };

  /** What the model answers, and the holds after it. */
  const asksModel = (
    holds: Holds,
    step: GovernorStep,
    history: Omit<GovernorHistory, 'steps'>,
  ): { readonly answer: unknown; readonly after: Holds } => {
    if (step.kind === 'admit') {
      const { verdicts, holds: next } = admit(holds, anAdmission(step, history));
      return { answer: verdicts, after: next };
    }
    const next =
      step.kind === 'release' ? release(holds, step) : releaseAll(holds, step.remediationId);
    return { answer: { kind: 'released', hosts: holds.size - next.size }, after: next };
  };

  it('answers 10,000 histories as the model does, leaves the same holds, and nothing once all are freed', async () => {
    // Every script is known to Redis from here on, so that steps sent together keep their order.
    await asksRedis(
      { kind: 'admit', remediationId: 'x', hosts: [host('h1')] },
      { caps: new Map(), floors: new Map() },
    );
    await site.governor.release({ remediationId: 'x', agentIds: ['h1'] });
    await site.governor.releaseAll('x');

    await fc.assert(
      fc.asyncProperty(governorHistory(), async (history) => {
        const [answers, keys, , size] = await Promise.all([
          Promise.all(history.steps.map((step) => asksRedis(step, history))),
          keysOf(site.redis),
          Promise.all(historyRemediations.map((id) => site.governor.releaseAll(id))),
          site.redis.dbsize(),
        ]);
        let holds = nothing;
        for (const [at, step] of history.steps.entries()) {
          const { answer, after: next } = asksModel(holds, step, history);
          assert.deepEqual(answers[at], answer, `step ${at + 1}`);
          holds = next;
        }
        assert.deepEqual(keys, keysFor(holds));
        assert.equal(size, 1, 'the meta hash is left');
      }),
      { numRuns: 10_000 },
    );
  });

  it('in every order of 3 runs of 2 batches no cap is passed, no host has two holders and none stays held', async () => {
    const caps = new Map([
      ['zone=a', 2],
      ['zone=b', 1],
    ]);
    const history = { caps, floors: new Map([['web', { floor: 2, healthy: 5 }]]) };
    const [a1, a2, a3] = [
      host('a1', { service: 'web' }),
      host('a2', { service: 'web' }),
      host('a3'),
    ];
    const b1 = host('b1', { domains: ['zone=b'], service: 'web' });
    const b2 = host('b2', { domains: ['zone=b', 'zone=a'], service: 'web', isHealthy: false });
    const run = (remediationId: string, batches: readonly (readonly HostToHold[])[]) =>
      batches.flatMap((hosts): GovernorStep[] => [
        { kind: 'admit', remediationId, hosts },
        { kind: 'release', remediationId, agentIds: hosts.map(({ agentId }) => agentId) },
      ]);
    const runs = [
      run('one', [
        [a1, b1],
        [a2, a3],
      ]),
      run('two', [
        [a1, a2],
        [b1, b2],
      ]),
      run('three', [
        [b2, a3],
        [a1, a2, b1],
      ]),
    ];

    // States that two orders both lead to go on alike, because the keys of each are the model's: so
    // every step out of every state stands for every order. By state: how many orders end from it.
    const endings = new Map<string, number>();
    const endingsFrom = async (done: readonly number[], holds: Holds): Promise<number> => {
      const state = JSON.stringify([done, [...holds].sort()]);
      const known = endings.get(state);
      if (known !== undefined) return known;
      let count = 0;
      for (const [at, steps] of runs.entries()) {
        const step = steps[done[at] ?? 0];
        if (step === undefined) continue;
        await bringTo(holds);
        const { answer, after: next } = asksModel(holds, step, history);
        assert.deepEqual(await asksRedis(step, history), answer);
        assert.deepEqual(await keysOf(site.redis), keysFor(next));
        const counts = countsOf(next);
        for (const [domain, used] of counts.domains) assert.ok(used <= (caps.get(domain) ?? 0));
        assert.ok((counts.services.get('web') ?? 0) <= 3);
        count += await endingsFrom(done.with(at, (done[at] ?? 0) + 1), next);
      }
      const isEnd = count === 0;
      if (isEnd) assert.deepEqual(await keysOf(site.redis), {});
      endings.set(state, isEnd ? 1 : count);
      return isEnd ? 1 : count;
    };

    assert.equal(await endingsFrom([0, 0, 0], nothing), 34_650);
    assert.ok(endings.size > 125, `${endings.size} states`);
  });

  /** Brings Redis to these holds. */
  const bringTo = async (holds: Holds) => {
    await site.open();
    for (const [agentId, { remediationId, domains, service, wasHealthy }] of holds) {
      const hosts = [{ agentId, domains, service, isHealthy: wasHealthy }];
      await site.governor.admit(asked(remediationId, hosts));
    }
    assert.deepEqual(await keysOf(site.redis), keysFor(holds));
  };

  it('of two remediations that want one host at once one gets it, and the other learns which', async () => {
    const other = connectRedis({ url: site.server.url, profile: 'background', onError: () => {} });
    const otherGovernor = new Governor({ redis: other, clock: systemClock });
    try {
      for (let round = 0; round < 20; round++) {
        const verdicts = await Promise.all([
          site.governor.admit(asked('one', [host('h1')])).then(verdictsOf),
          otherGovernor.admit(asked('two', [host('h1')])).then(verdictsOf),
        ]);

        const [winner = ''] = await site.governor.holders();
        const refused = { kind: 'refused', reason: 'held', by: winner };
        assert.deepEqual(
          verdicts,
          winner === 'one' ? [[granted], [refused]] : [[refused], [granted]],
        );
        assert.deepEqual(await otherGovernor.holdsOf(winner), ['h1']);
        await site.governor.releaseAll(winner);
      }
    } finally {
      other.disconnect();
    }
  });

  it('tells who holds what, and how many hosts of each domain are held', async () => {
    const { governor } = site;
    await governor.admit(asked('one', [host('h1'), host('h2', { domains: ['zone=a', 'rack=1'] })]));
    await governor.admit(asked('two', [host('h3', { domains: ['zone=b'] })]));

    assert.deepEqual((await governor.holdsOf('one')).toSorted(), ['h1', 'h2']);
    assert.deepEqual(await governor.holdsOf('three'), []);
    assert.deepEqual((await governor.holders()).toSorted(), ['one', 'two']);
    assert.deepEqual([...(await governor.heldByDomain())].sort(), [
      ['rack=1', 1],
      ['zone=a', 2],
      ['zone=b', 1],
    ]);
    await governor.releaseAll('two');
    assert.deepEqual(await governor.holders(), ['one']);
    assert.equal((await governor.heldByDomain()).has('zone=b'), false);
  });

  it('an empty release frees nothing, and holds have no time at which they end', async () => {
    const { governor, redis } = site;
    await governor.admit(asked('one', [host('h1', { service: 'web' })]));

    assert.deepEqual(await governor.release({ remediationId: 'one', agentIds: [] }), {
      ...{ kind: 'released', hosts: 0 },
    });
    for (const key of await redis.keys('*')) assert.equal(await redis.pttl(key), -1, key);
    assert.deepEqual(await governor.holdsOf('one'), ['h1']);
  });

  it('a Redis that is full gives no hold and changes nothing, but frees what is held', async () => {
    const { governor, redis } = site;
    await governor.admit(asked('one', [host('h1')]));
    const before = await keysOf(redis);

    await redis.config('SET', 'maxmemory', '1');
    try {
      await assert.rejects(governor.admit(asked('two', [host('h2')])), {
        code: 'upstream_unavailable',
      });
      assert.deepEqual(await keysOf(redis), before);
      assert.deepEqual(await governor.releaseAll('one'), { kind: 'released', hosts: 1 });
    } finally {
      await redis.config('SET', 'maxmemory', '0');
    }
    assert.deepEqual(await keysOf(redis), {});
  });

  it('a cap or floor that is no whole number is a bug of the caller, and holds nothing', async () => {
    const { governor, redis } = site;
    const floors = new Map([['web', { floor: Number.NaN, healthy: 3 }]]);

    await assert.rejects(
      () => governor.admit(asked('one', [host('h1')], { 'zone=a': Number.NaN })),
      /zone=a/,
    );
    await assert.rejects(
      () => governor.admit(asked('one', [host('h1')], { 'zone=a': 1.5 })),
      /zone=a/,
    );
    await assert.rejects(
      () => governor.admit(asked('one', [host('h1')], { 'zone=a': -1 })),
      /zone=a/,
    );
    await assert.rejects(() => governor.admit({ ...asked('one', [host('h1')]), floors }), /web/);
    assert.deepEqual(await keysOf(redis), {});
  });

  it('5,000 hosts are judged, held and freed in steps that block Redis but briefly', async () => {
    const { governor, redis } = site;
    const hosts = Array.from({ length: 5_000 }, (_, at) =>
      host(`h${at}`.padStart(12, '0'), {
        domains: [`zone=eu-${at % 3}`, `rack=${at % 200}`],
        service: 'web',
      }),
    );
    const caps = Object.fromEntries(
      hosts.flatMap(({ domains }) => domains.map((name) => [name, 1_700])),
    );
    const floors = new Map([['web', { floor: 10, healthy: 5_010 }]]);
    const busyMs = async () => {
      const stats = await redis.info('commandstats');
      const scripts = stats.matchAll(/cmdstat_eval(?:sha)?:calls=\d+,usec=(\d+)/g);
      return [...scripts].reduce((sum, [, micros]) => sum + Number(micros) / 1_000, 0);
    };
    const took = { admit: Number.POSITIVE_INFINITY, release: Number.POSITIVE_INFINITY };
    for (let round = 0; round < 5; round++) {
      const start = await busyMs();
      const verdicts = verdictsOf(await governor.admit({ ...asked('one', hosts, caps), floors }));
      const held = await busyMs();
      const freed = await governor.releaseAll('one');
      const end = await busyMs();

      assert.ok(verdicts.every(({ kind }) => kind === 'granted'));
      assert.deepEqual(freed, { kind: 'released', hosts: 5_000 });
      took.admit = Math.min(took.admit, held - start);
      took.release = Math.min(took.release, end - held);
    }

    // Some 27 ms each on two cores that others share; the rest is room for busier ones.
    assert.ok(took.admit < 150 && took.release < 150, JSON.stringify(took));
  });
});
