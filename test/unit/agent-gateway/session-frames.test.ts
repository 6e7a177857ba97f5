import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { WebSocket } from 'ws';
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
      clock,
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
});
