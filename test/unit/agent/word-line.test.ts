import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { WordLine } from '../../../agent/word-line.ts';
import type { AgentFrame } from '../../../contracts/frames.ts';
import { plainReport } from '../../../domain/job.ts';

describe('words on jobs', () => {
  it('of those of one moment the last is sent, and a word of its own moment as it is', async () => {
    const written: AgentFrame[] = [];
    const line = new WordLine((frame) => written.push(frame));
    const report = plainReport('succeeded', null);

    line.send({ type: 'ack', jobId: 'quick', state: 'acked' });
    line.send({ type: 'ack', jobId: 'slow', state: 'acked' });
    line.send({ type: 'ack', jobId: 'quick', state: 'running' });
    line.send({ type: 'ping', id: 1 });
    line.send({ type: 'result', jobId: 'quick', report });
    await setImmediate();
    line.send({ type: 'ack', jobId: 'slow', state: 'running' });
    await setImmediate();
    line.send({ type: 'result', jobId: 'slow', report });

    assert.deepEqual(
      written.map((frame) => [frame.type, 'jobId' in frame ? frame.jobId : '']),
      [
        ['ping', ''],
        ['result', 'quick'],
        ['ack', 'slow'],
        ['ack', 'slow'],
        ['result', 'slow'],
      ],
    );
    assert.deepEqual(written[2], { type: 'ack', jobId: 'slow', state: 'acked' });
  });
});
