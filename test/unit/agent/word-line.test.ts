import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { WordLine } from '../../../agent/word-line.ts';
import type { AgentFrame } from '../../../contracts/frames.ts';
import { plainReport } from '../../../domain/job.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const result = (jobId: string): AgentFrame => ({
  ...{ type: 'result', jobId },
  report: plainReport('succeeded', null),
});

describe('words on jobs', () => {
  it('of those of one moment the last is sent, and a word of its own moment as it is', async () => {
    const written: AgentFrame[] = [];
    const clock = new ManualClock();
    const line = new WordLine(clock, (frame) => written.push(frame));

    line.send({ type: 'ack', jobId: 'quick', state: 'acked' });
    line.send({ type: 'ack', jobId: 'slow', state: 'acked' });
    line.send({ type: 'ack', jobId: 'quick', state: 'running' });
    line.send({ type: 'ping', id: 1 });
    clock.advance(49);
    await setImmediate();
    line.send(result('quick'));
    clock.advance(1);
    await setImmediate();
    line.send({ type: 'ack', jobId: 'slow', state: 'running' });
    clock.advance(50);
    await setImmediate();
    line.send(result('slow'));

    assert.deepEqual(written, [
      { type: 'ping', id: 1 },
      result('quick'),
      { type: 'ack', jobId: 'slow', state: 'acked' },
      { type: 'ack', jobId: 'slow', state: 'running' },
      result('slow'),
    ]);
  });

  it('a result that comes in the turn after the time was up still overtakes', async () => {
    const written: AgentFrame[] = [];
    const clock = new ManualClock();
    const line = new WordLine(clock, (frame) => written.push(frame));

    line.send({ type: 'ack', jobId: 'late', state: 'running' });
    clock.advance(50);
    line.send(result('late'));
    await setImmediate();

    assert.deepEqual(written, [result('late')]);
  });
});
