import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import { FrameBacklog } from '../../../agent-gateway/frame-backlog.ts';
import { type OrderedFrame, SessionFrames } from '../../../agent-gateway/session-frames.ts';
import { plainReport } from '../../../domain/job.ts';
import { eventually } from '../../support/eventually.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const jobId = `t${'a'.repeat(25)}.0123456789ab`;
const refusal = { type: 'result', jobId, report: plainReport('refused', 'no_lease') };

describe('frames of a session', () => {
  it('a refusal that could not be stored is dropped once a newer session took over', async () => {
    const socket = Object.assign(new EventEmitter(), { OPEN: 1, readyState: 1, isPaused: false });
    const clock = new ManualClock();
    const tried: OrderedFrame[] = [];
    const retries: unknown[] = [];
    let isCurrent = true;
    new SessionFrames({
      socket: socket as unknown as WebSocket, // What frames use of one, and no more.
      ...{ clock, backlog: new FrameBacklog() },
      isCurrent: () => isCurrent,
      onPing: () => {},
      onAnswer: () => true,
      onFrame: async (frame) => {
        tried.push(frame);
        throw new Error('Redis is away');
      },
      onBadFrame: () => {},
      onRetry: (error) => retries.push(error),
    });

    socket.emit('message', Buffer.from(JSON.stringify(refusal)), false);
    await eventually(() => assert.equal(retries.length, 1));
    isCurrent = false;
    clock.advance(500);
    await setImmediate();

    assert.equal(tried.length, 1);
  });

  it('an ack that the result has overtaken in the same moment is not stored for itself', async () => {
    const socket = Object.assign(new EventEmitter(), { OPEN: 1, readyState: 1, isPaused: false });
    const taken: string[] = [];
    new SessionFrames({
      socket: socket as unknown as WebSocket, // What frames use of one, and no more.
      ...{ clock: new ManualClock(), backlog: new FrameBacklog() },
      isCurrent: () => true,
      onPing: () => {},
      onAnswer: () => false,
      onFrame: async ({ kind }) => void taken.push(kind),
      onBadFrame: () => {},
      onRetry: () => {},
    });
    const say = (frame: unknown) =>
      socket.emit('message', Buffer.from(JSON.stringify(frame)), false);

    say({ type: 'ack', jobId, state: 'acked' });
    say({ type: 'ack', jobId, state: 'running' });
    say({ ...refusal, report: plainReport('succeeded', null) });
    await setImmediate();
    say({ type: 'ack', jobId, state: 'acked' });
    say({ type: 'ack', jobId: jobId.replace('ab', 'cd'), state: 'running' });
    await setImmediate();

    assert.deepEqual(taken, ['result', 'ack', 'ack']);
  });
});
