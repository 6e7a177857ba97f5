import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { HandshakeQueue } from '../../../agent-gateway/handshake-queue.ts';
import { limits } from '../../../contracts/limits.ts';
import { ManualClock } from '../../support/manual-clock.ts';

class FakeConnection extends EventEmitter {
  readonly remoteAddress: string | undefined = '127.0.0.1';
  readonly remotePort: number;
  destroyed = false;

  constructor(port: number) {
    super();
    this.remotePort = port;
  }

  resetAndDestroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function queueOf() {
  const clock = new ManualClock();
  const begun: number[] = [];
  let shed = 0;
  const queue = new HandshakeQueue({
    clock,
    begin: ({ remotePort }) => begun.push(remotePort ?? 0),
    onShed: () => {
      shed += 1;
    },
  });
  let port = 0;
  const arrive = (count: number): readonly FakeConnection[] =>
    Array.from({ length: count }, () => {
      port += 1;
      const connection = new FakeConnection(port);
      queue.take(connection as unknown as Socket);
      return connection;
    });
  return { clock, queue, begun, arrive, shed: () => shed };
}

describe('handshake queue', () => {
  it('so many are begun at once, and each that ends lets the next one begin, in order', () => {
    const { queue, begun, arrive } = queueOf();
    const [first, second] = arrive(limits.handshakesAtOnce + 2);
    assert.ok(first && second);
    assert.equal(begun.length, limits.handshakesAtOnce);

    queue.ended(first);
    queue.ended(first);
    assert.deepEqual(begun.slice(limits.handshakesAtOnce), [limits.handshakesAtOnce + 1]);

    second.emit('close');
    assert.equal(begun.at(-1), limits.handshakesAtOnce + 2);
  });

  it('peers that say nothing hold the others up for their patience only', () => {
    const { clock, begun, arrive } = queueOf();
    arrive(limits.handshakesAtOnce);
    arrive(1);
    clock.advance(limits.handshakePatienceMs - 1);
    assert.equal(begun.length, limits.handshakesAtOnce);

    clock.advance(1);
    assert.equal(begun.length, limits.handshakesAtOnce + 1);
  });

  it('a connection beyond those that may wait is ended at once, and is told', () => {
    const { begun, arrive, shed } = queueOf();
    const all = arrive(limits.handshakesAtOnce + limits.handshakesWaitingMax + 1);

    assert.equal(shed(), 1);
    assert.equal(all.filter(({ destroyed }) => destroyed).length, 1);
    assert.equal(all.at(-1)?.destroyed, true);
    assert.equal(begun.length, limits.handshakesAtOnce);
  });

  it('one that waited too long is ended in its turn, and nothing is done for it', () => {
    const { clock, begun, arrive, shed } = queueOf();
    // Each round of patience takes as many as came before: who comes last waits for all of them.
    const rounds = Math.ceil(limits.handshakeWaitMs / limits.handshakePatienceMs);
    arrive(limits.handshakesAtOnce * (rounds + 1));
    const [late] = arrive(1);
    clock.advance(rounds * limits.handshakePatienceMs);
    assert.equal(begun.length, limits.handshakesAtOnce * (rounds + 1));
    assert.equal(late?.destroyed, false);

    clock.advance(limits.handshakePatienceMs);
    assert.equal(late?.destroyed, true);
    assert.equal(shed(), 1);
    assert.equal(begun.length, limits.handshakesAtOnce * (rounds + 1));
  });

  it('one that is gone before its turn takes no place', () => {
    const { queue, begun, arrive } = queueOf();
    const [first] = arrive(limits.handshakesAtOnce);
    const [gone, next] = arrive(2);
    assert.ok(first && gone && next);
    gone.emit('close');
    queue.ended(first);

    assert.equal(begun.at(-1), next.remotePort);
  });
});
