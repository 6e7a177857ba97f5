import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { StartLease } from '../../../agent/start-lease.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const gatewayStart = 5_000_000;
let clock: ManualClock;
let lease: StartLease;
let pings: number[];
let isSilent: boolean;

const begin = () =>
  lease.begin({
    pingMs: 4_000,
    startLeaseMs: 10_000,
    sequence: () => 7,
    send: (frame) => void (frame.type === 'ping' && pings.push(frame.id)),
    onSilent: () => {
      isSilent = true;
    },
  });

const pong = (id: number | undefined, over: { lease?: boolean; stopped?: boolean } = {}) =>
  lease.onPong({
    type: 'pong',
    id: id ?? -1,
    gatewayTime: gatewayStart + clock.monotonic(),
    lease: true,
    stopped: false,
    ...over,
  });

describe('a start lease', () => {
  beforeEach(() => {
    clock = new ManualClock();
    lease = new StartLease(clock);
    pings = [];
    isSilent = false;
  });

  it('is not there before the first pong, nor is the gateway’s time', () => {
    begin();

    assert.equal(lease.holds(), false);
    assert.equal(lease.gatewayTime(), null);
    assert.deepEqual(pings, [1]);
  });

  it('counts from its own ping, not from the pong', () => {
    begin();
    clock.advance(3_000);
    pong(1);

    clock.advance(6_999);
    assert.equal(lease.holds(), true);
    clock.advance(1);
    assert.equal(lease.holds(), false);
  });

  it('survives one lost ping', () => {
    begin();
    pong(1);
    clock.advance(8_500);

    assert.deepEqual(pings, [1, 2, 3]);
    assert.equal(lease.holds(), true);
  });

  it('ends at once when a pong refuses it', () => {
    begin();
    pong(1);
    clock.advance(4_000);
    pong(2, { lease: false, stopped: true });

    assert.equal(lease.holds(), false);
    assert.equal(lease.isStopped, true);
  });

  it('is not granted by a pong nobody asked for, or by one of an earlier session', () => {
    begin();
    pong(77);
    lease.end();
    begin();
    pong(1);

    assert.equal(lease.holds(), false);
  });

  it('learns the gateway’s time from the shortest round trip', () => {
    begin();
    clock.advance(2_000);
    pong(1);
    clock.advance(2_000);
    pong(2);
    clock.advance(100);

    assert.equal(lease.gatewayTime(), gatewayStart + 4_100);
  });

  it('learns it anew when the clocks have jumped apart', () => {
    begin();
    pong(1);
    clock.advance(4_000);
    lease.onPong({
      type: 'pong',
      id: 2,
      gatewayTime: gatewayStart + 604_000,
      lease: true,
      stopped: false,
    });

    assert.equal(lease.gatewayTime(), gatewayStart + 604_000);
  });

  it('that is asked for pings at once and waits for that answer only', async () => {
    begin();
    clock.advance(1_000);
    let isDone = false;
    const asked = lease.refresh(2_000).then(() => {
      isDone = true;
    });

    assert.deepEqual(pings, [1, 2]);
    pong(1);
    await Promise.resolve();
    assert.equal(isDone, false);
    pong(2);
    await asked;
    assert.equal(isDone, true);
  });

  it('that is asked for in vain is waited for no longer than said', async () => {
    const asked = lease.refresh(2_000);
    clock.advance(2_000);

    await asked;
    assert.equal(lease.holds(), false);
  });

  it('reports a gateway that answers nothing for three pings', () => {
    begin();
    clock.advance(12_000);
    assert.equal(isSilent, false);
    clock.advance(4_400);
    assert.equal(isSilent, true);
  });
});
