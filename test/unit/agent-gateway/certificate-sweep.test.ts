import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import type { WebSocket } from 'ws';
import { CertificateSweep } from '../../../agent-gateway/certificate-sweep.ts';
import { Session } from '../../../agent-gateway/session.ts';
import { SessionRegistry } from '../../../agent-gateway/session-registry.ts';
import { silentLog } from '../../../platform/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const lifeMs = 60_000;

/** Agents with links, whose certificates live for a minute from now. */
function aSweep(...agentIds: readonly string[]) {
  const clock = new ManualClock();
  const registry = new SessionRegistry();
  const byes: string[] = [];
  for (const agentId of agentIds) {
    const socket = Object.assign(new EventEmitter(), {
      ...{ OPEN: 1, readyState: 1, terminate: () => {} },
      send: (text: string) => byes.push(`${agentId} ${JSON.parse(text).reason}`),
      close: () => Object.assign(socket, { readyState: 2 }),
    });
    registry.add(
      new Session({
        ...{ agentId, sessionId: 's1', version: '0.1.0', protocol: 2, sequence: 0, clock },
        certificateEndsAt: clock.now() + lifeMs,
        socket: socket as unknown as WebSocket, // What a session uses of one, and no more.
      }),
    );
  }
  const newest = new Map<string, number>();
  const sweep = new CertificateSweep({
    ...{ registry, clock, log: silentLog, newestEndOf: (agentId: string) => newest.get(agentId) },
  });
  return { clock, newest, sweep, byes };
}

describe('the sweep for certificates that ran out', () => {
  it('ends a session when its agent holds none that is valid, and says why', async () => {
    const { clock, sweep, byes } = aSweep('0123456789ab');

    clock.advance(lifeMs);
    await sweep.look();
    const atItsEnd = [...byes];
    clock.advance(1);
    await sweep.look();

    assert.deepEqual(atItsEnd, []);
    assert.deepEqual(byes, ['0123456789ab certificate_expired']);
  });

  it('leaves an agent alone that was renewed meanwhile, until that certificate ends too', async () => {
    const { clock, newest, sweep, byes } = aSweep('0123456789ab', '0123456789ac');
    newest.set('0123456789ab', clock.now() + 2 * lifeMs);
    newest.set('0123456789ac', clock.now() + lifeMs / 2);

    clock.advance(lifeMs + 1);
    await sweep.look();
    const first = [...byes];
    clock.advance(lifeMs);
    await sweep.look();

    assert.deepEqual(first, ['0123456789ac certificate_expired']);
    assert.deepEqual(byes.slice(1), ['0123456789ab certificate_expired']);
  });
});
