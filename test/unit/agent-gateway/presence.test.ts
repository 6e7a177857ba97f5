import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import type { WebSocket } from 'ws';
import { Presence, type PresenceDeps } from '../../../agent-gateway/presence.ts';
import { Session } from '../../../agent-gateway/session.ts';
import { SessionRegistry } from '../../../agent-gateway/session-registry.ts';
import { silentLog } from '../../../platform/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const agentId = '0123456789ab';

/** A machine whose wall clock was set forward by an hour. */
class SetClock extends ManualClock {
  isSet = false;
  override now(): number {
    return super.now() + (this.isSet ? 3_600_000 : 0);
  }
}

/** An agent with a link to this gateway. */
function aPresence(over: Partial<PresenceDeps> = {}) {
  const clock = new SetClock();
  const registry = new SessionRegistry();
  const socket = Object.assign(new EventEmitter(), { OPEN: 1, readyState: 1 });
  const session = new Session({
    ...{ agentId, sessionId: 's1', version: '0.1.0', protocol: 2, sequence: 0, clock },
    certificateEndsAt: Number.MAX_SAFE_INTEGER,
    socket: socket as unknown as WebSocket, // What a session uses of one, and no more.
  });
  registry.add(session);
  const presence = new Presence({
    ...{ registry, clock, gatewayId: 'g', agentLateMs: 15_000, agentOfflineMs: 60_000 },
    linkSilentMs: 25_000,
    ...{ lockOf: () => null, isDraining: () => false },
    sessions: {
      heard: async () => {},
      sequences: async () => [],
      skewed: async () => {},
      read: async () => [null],
      owners: async () => [null],
    },
    onBehind: () => {},
    alive: async () => new Map(),
    draining: async () => new Set(),
    log: silentLog,
    ...over,
  });
  const stateOf = async () => {
    const [view] = await presence.views([{ id: agentId, name: 'a', journalId: '', labels: {} }]);
    return view?.state;
  };
  return { clock, presence, stateOf };
}

describe('presence', () => {
  it('a wall clock that is set forward makes no agent offline; silence does', async () => {
    const { clock, presence, stateOf } = aPresence();

    clock.isSet = true;
    const afterSetting = [(await presence.online([agentId])).size, await stateOf()];
    clock.advance(60_000);

    assert.deepEqual(afterSetting, [1, 'online']);
    assert.equal((await presence.online([agentId])).size, 0);
    assert.equal(await stateOf(), 'offline');
  });

  it('an agent that is heard late, sent away or locked is shown so', async () => {
    const late = aPresence();
    const draining = aPresence({ isDraining: () => true });
    const lock = { reason: 'cloned', by: 'ann', at: 1 };
    const locked = aPresence({ isDraining: () => true, lockOf: () => lock });

    late.clock.advance(15_000);
    const states = [await late.stateOf(), await draining.stateOf(), await locked.stateOf()];
    draining.clock.advance(60_000);

    assert.deepEqual(states, ['late', 'draining', 'locked']);
    assert.equal(await draining.stateOf(), 'offline');
  });

  it('an agent that another gateway is sending away is shown so here too, while it is heard', async () => {
    const clock = new ManualClock();
    const session = {
      ...{ sessionId: 's2', gatewayId: 'g2', version: '0.1.0', clockOffsetMs: null },
      lastSeenAt: clock.now(),
    };
    let living = new Map([['g2', 'http://g2']]);
    const elsewhere = aPresence({
      ...{ registry: new SessionRegistry(), clock, isDraining: () => true },
      sessions: {
        ...{ heard: async () => {}, sequences: async () => [], skewed: async () => {} },
        read: async () => [session],
        owners: async () => [session],
      },
      alive: async () => living,
      draining: async () => new Set(['g2']),
    });

    const sentAway = await elsewhere.stateOf();
    clock.advance(15_000);
    const late = await elsewhere.stateOf();
    clock.advance(-15_000);
    living = new Map();
    const withoutGateway = await elsewhere.stateOf();

    assert.deepEqual([sentAway, late, withoutGateway], ['draining', 'late', 'online']);
  });
});
