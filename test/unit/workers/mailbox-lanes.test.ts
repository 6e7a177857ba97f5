import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AlertRef } from '../../../contracts/temporal.ts';
import { systemClock } from '../../../platform/clock.ts';
import { silentLog } from '../../../platform/log.ts';
import { MailboxLanes } from '../../../workers/mailbox-lanes.ts';
import type { MailboxAddress, MailboxSignals } from '../../../workers/mailbox-signals.ts';
import { anAlert, aResolved, someSettings } from '../../support/builders.ts';

const address = (groupId = 'web~0'): MailboxAddress => ({
  policy: 'web',
  groupId,
  group: [],
  settings: someSettings(),
});
type Call = Parameters<MailboxSignals['signal']>[0];

/** Lanes over signals that are recorded; waits take no time but are recorded too. */
function lanesOver(answer: (call: Call, at: number) => 'delivered' | 'absent') {
  const calls: Call[] = [];
  const waits: number[] = [];
  const stopped = new AbortController();
  const lanes = new MailboxLanes({
    signals: {
      signal: async (call) => {
        calls.push(call);
        return answer(call, calls.length - 1);
      },
    },
    clock: {
      ...systemClock,
      monotonic: () => 0,
      sleep: async (ms) => void waits.push(ms),
    },
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
    assert.deepEqual(waits, [200]);
  });

  it('under load alerts are gathered for a second, and for 200 ms again once it is over', async () => {
    const { lanes, waits } = lanesOver(() => 'delivered');

    await Promise.all(numbered(280, { labels: [] }).map((alert) => lanes.send(address(), alert)));

    assert.deepEqual(waits, [1_000, 200]);
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
});
