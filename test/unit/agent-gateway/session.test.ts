import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import type { WebSocket } from 'ws';
import { Session } from '../../../agent-gateway/session.ts';
import { SessionRegistry } from '../../../agent-gateway/session-registry.ts';
import { limits } from '../../../contracts/limits.ts';
import { systemClock } from '../../../platform/clock.ts';

/** A socket whose peer reads as much as a test says. */
class SlowSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  readonly sent: { type: string; jobId?: string; reason?: string }[] = [];
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.readyState = 2;
  }
  terminate(): void {
    this.readyState = 3;
    this.emit('close');
  }
}

const sessionOn = (socket: SlowSocket, sessionId = 's1', protocol = 2) =>
  new Session({
    ...{ agentId: '0123456789ab', sessionId, version: '0.1.0', protocol, clock: systemClock },
    ...{ sequence: 0, certificateEndsAt: Number.MAX_SAFE_INTEGER },
    socket: socket as unknown as WebSocket, // What a session uses of one, and no more.
  });
const dispatch = (jobId: string) => ({
  ...{ jobId, createdAt: 1, cancelled: null, onHeard: () => undefined, policy: null },
  text: JSON.stringify({ type: 'dispatch', jobId }),
});

describe('session', () => {
  it('a link with too much unsent is cut off, and nothing more is written to it', () => {
    const socket = new SlowSocket();
    const session = sessionOn(socket);
    session.send({ type: 'stored', jobId: 'a' });
    assert.ok(session.isOpen);

    socket.bufferedAmount = limits.linkBacklogBytes + 1;
    session.send({ type: 'stored', jobId: 'b' });
    session.send({ type: 'stored', jobId: 'c' });

    assert.equal(session.isOpen, false);
    assert.equal(socket.sent.length, 2);
  });

  it('results that are stored are told by the next pong, once, and what is beyond its room at once', () => {
    const socket = new SlowSocket();
    const session = sessionOn(socket);
    const pong = { gatewayTime: 1, lease: true, stopped: false };
    const jobIds = Array.from({ length: limits.storedTellingMax + 1 }, (_, at) => `job-${at}`);

    for (const jobId of [...jobIds.slice(0, -1), 'job-0']) session.stored(jobId);
    session.stored(jobIds.at(-1) ?? '');
    session.pong({ id: 1, ...pong });
    session.pong({ id: 2, ...pong });

    assert.deepEqual(socket.sent, [
      { type: 'stored', jobId: 'job-0' },
      { type: 'stored', jobId: jobIds.at(-1) },
      { type: 'pong', id: 1, ...pong, stored: jobIds.slice(0, -1) },
      { type: 'pong', id: 2, ...pong },
    ]);
  });

  it('results that are stored are told before a good-bye, and to version 1 each at once', () => {
    const [socket, old] = [new SlowSocket(), new SlowSocket()];
    const session = sessionOn(socket);

    session.stored('a');
    session.end('draining', 1);
    sessionOn(old, 's1', 1).stored('a');

    assert.deepEqual(
      socket.sent.map(({ type }) => type),
      ['stored', 'bye'],
    );
    assert.deepEqual(old.sent, [{ type: 'stored', jobId: 'a' }]);
  });

  it('a cancel that overtakes its job is said again after it', () => {
    const socket = new SlowSocket();
    const session = sessionOn(socket);

    session.cancel('job', 'resolved');
    session.give(dispatch('job'));

    assert.deepEqual(
      socket.sent.map(({ type }) => type),
      ['cancel', 'dispatch', 'cancel'],
    );
    assert.equal(socket.sent[2]?.reason, 'resolved');
  });

  it('a job of a task that was made again is written once more, one of the same task is not', () => {
    const session = sessionOn(new SlowSocket());
    assert.ok(session.reserve('job', 0));
    session.give(dispatch('job'));

    assert.equal(session.reserve('job', 0), false);
    assert.equal(session.reserve('job', 1), false);
    assert.equal(session.reserve('job', 2), true);
  });

  it('the time to the first ack is told once', () => {
    const session = sessionOn(new SlowSocket());
    session.give(dispatch('job'));

    assert.ok((session.acked('job') ?? -1) >= 0);
    assert.equal(session.acked('job'), undefined);
    assert.ok(session.hasBeenGiven('job'));
  });

  it('a text beyond those asked for at once is asked for when one of them came', () => {
    const socket = new SlowSocket();
    const session = sessionOn(socket);
    for (let at = 0; at < limits.textsAskedMax; at += 1) session.askText(`job-${at}`);

    assert.equal(session.askText('one more'), true);
    assert.equal(session.askText('job-0'), true);
    assert.equal(socket.sent.length, limits.textsAskedMax);
    session.textCame('job-0');

    assert.equal(socket.sent.at(-1)?.jobId, 'one more');
    assert.ok(session.isAsked('one more'));
    assert.equal(socket.sent.length, limits.textsAskedMax + 1);
  });

  it('texts that wait to be asked for are bounded, and none of them is called unneeded', () => {
    const session = sessionOn(new SlowSocket());
    const count = limits.textsAskedMax + limits.textsWaitingMax;
    for (let at = 0; at < count; at += 1) session.askText(`job-${at}`);

    assert.equal(session.askText('too many'), true);
    for (let at = 0; at < count; at += 1) session.textCame(`job-${at}`);

    assert.equal(session.isAsked('too many'), false);
  });

  it('a replaced session that closes later does not take the newer one with it', () => {
    const registry = new SessionRegistry();
    const older = sessionOn(new SlowSocket(), 's1');
    const newer = sessionOn(new SlowSocket(), 's2');
    registry.add(older);
    registry.add(newer);

    registry.remove(older);

    assert.equal(registry.get('0123456789ab'), newer);
    registry.remove(newer);
    assert.equal(registry.size, 0);
  });

  it('a job in doubt is written once more, whether its task begins again or its agent is looked at', () => {
    for (const createdAt of [0, 1]) {
      const session = sessionOn(new SlowSocket());
      session.reserve('job', 1);
      assert.equal(session.reserve('job', createdAt), false, 'it was in no doubt');

      session.doubtGiven();

      assert.equal(session.reserve('job', createdAt), true);
      assert.deepEqual([session.reserve('job', 0), session.reserve('job', 1)], [false, false]);
    }
  });
});
