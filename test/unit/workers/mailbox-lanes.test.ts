import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Storm } from '../../../contracts/storm.ts';
import type { AlertRef } from '../../../contracts/temporal.ts';
import { systemClock } from '../../../platform/clock.ts';
import { silentLog } from '../../../platform/log.ts';
import type { StartLeave } from '../../../redis/mass-sense.ts';
import { MailboxLanes } from '../../../workers/mailbox-lanes.ts';
import type { MailboxAddress, MailboxSignals } from '../../../workers/mailbox-signals.ts';
import { MailboxStarts } from '../../../workers/mailbox-starts.ts';
import { anAlert, aResolved, someSettings } from '../../support/builders.ts';
import { eventually } from '../../support/eventually.ts';

const address = (groupId = 'web~0'): MailboxAddress => ({
  policy: 'web',
  groupId,
  group: [],
  settings: someSettings(),
});
type Call = Parameters<MailboxSignals['signal']>[0];

/** Lanes over signals that are recorded; waits take no time but are recorded too. */
function lanesOver(
  answer: (call: Call, at: number) => 'delivered' | 'absent',
  leave: (policy: string) => Promise<StartLeave> = async () => ({ kind: 'go' }),
) {
  const calls: Call[] = [];
  const waits: number[] = [];
  const stopped = new AbortController();
  const clock = {
    ...systemClock,
    monotonic: () => 0,
    sleep: async (ms: number) => void waits.push(ms),
  };
  const starts = new MailboxStarts({ leave, clock, stopped: stopped.signal });
  const lanes = new MailboxLanes({
    starts,
    signals: {
      signal: async (call) => {
        calls.push(call);
        return answer(call, calls.length - 1);
      },
    },
    clock,
    log: silentLog,
    backoff: async () => {},
    stopped: stopped.signal,
  });
  return { lanes, calls, waits, stopped };
}
const numbered = (count: number, over: Partial<AlertRef> = {}): AlertRef[] =>
  Array.from({ length: count }, (_, at) => anAlert({ fingerprint: `f${at}`, ...over }));

describe('signals to one mailbox', () => {
  it('what comes in one turn goes in one signal, and what follows is gathered', async () => {
    const { lanes, calls, waits } = lanesOver(() => 'delivered');

    await Promise.all(numbered(3).map((alert) => lanes.send(address(), alert)));

    assert.deepEqual(
      calls.map(({ alerts, withStart }) => [alerts.length, withStart]),
      [[3, true]],
    );
    await eventually(() => assert.deepEqual(waits, [200]));
  });

  it('under load alerts are gathered for a second, and for 200 ms again once it is over', async () => {
    const { lanes, waits } = lanesOver(() => 'delivered');

    await Promise.all(numbered(280, { labels: [] }).map((alert) => lanes.send(address(), alert)));

    await eventually(() => assert.deepEqual(waits, [1_000, 200]));
  });

  it('a signal has at most 250 alerts and 64 KB, in the order they came', async () => {
    const { lanes, calls } = lanesOver(() => 'delivered');
    const labels: AlertRef['labels'] = [['note', 'x'.repeat(15_000)]];

    await Promise.all(
      numbered(600, { labels: [] }).map((alert) => lanes.send(address('a'), alert)),
    );
    await Promise.all(numbered(10, { labels }).map((alert) => lanes.send(address('b'), alert)));

    const sizes = (groupId: string) =>
      calls.filter((call) => call.address.groupId === groupId).map(({ alerts }) => alerts.length);
    assert.deepEqual(sizes('a'), [250, 250, 100]);
    assert.deepEqual(sizes('b'), [4, 4, 2]);
    const order = calls
      .slice(0, 3)
      .flatMap(({ alerts }) => alerts.map((alert) => alert.fingerprint));
    assert.deepEqual(
      order,
      numbered(600).map((alert) => alert.fingerprint),
    );
  });

  it('a resolved or late alert alone opens no mailbox', async () => {
    const { lanes, calls } = lanesOver(() => 'absent');

    const outcomes = await Promise.all([
      lanes.send(address('a'), aResolved()),
      lanes.send(address('b'), anAlert({ late: true })),
    ]);

    assert.deepEqual(outcomes, ['absent', 'absent']);
    assert.deepEqual(
      calls.map(({ withStart }) => withStart),
      [false, false],
    );
  });

  it('a failed call is made again with the same alerts, and holds up no other mailbox', async () => {
    const { lanes, calls } = lanesOver((call, at) => {
      if (call.address.groupId === 'bad' && at < 5) throw new Error('Temporal is away');
      return 'delivered';
    });

    const bad = lanes.send(address('bad'), anAlert());
    const good = lanes.send(address('good'), anAlert());

    assert.equal(await good, 'delivered');
    assert.equal(await bad, 'delivered');
    const tries = calls.filter(({ address: { groupId } }) => groupId === 'bad');
    assert.ok(tries.length >= 2);
    assert.ok(tries.every(({ alerts }) => alerts.length === 1));
  });

  it('after a stop a failing call is given up, so that the entry stays in the intake', async () => {
    const { lanes, stopped } = lanesOver(() => {
      throw new Error('Temporal is away');
    });
    stopped.abort();
    await assert.rejects(lanes.send(address(), anAlert()), /Temporal is away/);
  });

  describe('that is to be opened', () => {
    const storm: Storm = {
      ...{ id: '1', domain: null, hosts: 21, limit: 20, limitText: '20' },
      ...{ sinceMs: 0, untilMs: 60_000 },
    };
    const inStorm = async (): Promise<StartLeave> => ({ kind: 'storm', storm });

    it('waits for leave, then goes', async () => {
      const leaves: StartLeave[] = [
        { kind: 'wait', waitMs: 40 },
        { kind: 'wait', waitMs: 7 },
      ];
      const { lanes, calls, waits } = lanesOver(
        () => 'delivered',
        async () => leaves.shift() ?? { kind: 'go' },
      );

      await lanes.send(address(), anAlert());

      assert.equal(calls.length, 1);
      assert.deepEqual(waits.slice(0, 2), [40, 7]);
    });

    it('asks for leave once: it is open from then on', async () => {
      const asked: string[] = [];
      const { lanes, calls } = lanesOver(
        () => 'delivered',
        async (policy) => {
          asked.push(policy);
          return { kind: 'go' };
        },
      );

      for (let round = 0; round < 3; round += 1) await lanes.send(address(), anAlert());

      assert.equal(calls.length, 3);
      assert.deepEqual(asked, ['web']);
    });

    it('while others wait it is asked first whether it is open, which needs no leave', async () => {
      const go = Promise.withResolvers<StartLeave>();
      const { lanes, calls } = lanesOver(
        ({ address: { groupId } }) => (groupId === 'closed' ? 'absent' : 'delivered'),
        () => go.promise,
      );
      const first = lanes.send(address('first'), anAlert());
      await Promise.resolve();

      assert.equal(await lanes.send(address('open'), anAlert()), 'delivered');
      const second = lanes.send(address('closed'), anAlert());
      go.resolve({ kind: 'go' });
      await Promise.all([first, second]);

      const starts = calls.map((call) => [call.address.groupId, call.withStart]);
      assert.deepEqual(starts, [
        ['open', false],
        ['closed', false],
        ['first', true],
        ['closed', true],
      ]);
    });

    it('in a storm firings are told so and open nothing; an end goes on to what is open', async () => {
      const { lanes, calls } = lanesOver(() => 'absent', inStorm);

      const outcomes = await Promise.all([
        lanes.send(address(), anAlert({ fingerprint: 'a' })),
        lanes.send(address(), aResolved({ fingerprint: 'b' })),
      ]);

      assert.deepEqual(outcomes, [{ storm }, 'absent']);
      assert.deepEqual(
        calls.map(({ alerts, withStart }) => [alerts.map(({ status }) => status), withStart]),
        [[['resolved'], false]],
      );
    });

    it('a Redis that does not answer is asked again', async () => {
      let asked = 0;
      const { lanes } = lanesOver(
        () => 'delivered',
        async () => {
          asked += 1;
          if (asked < 3) throw new Error('Redis is away');
          return { kind: 'go' };
        },
      );

      assert.equal(await lanes.send(address(), anAlert()), 'delivered');
    });
  });
});
