import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { knownFrame, readAgentFrame } from '../../../agent-gateway/agent-frame-reader.ts';
import { agentFrame } from '../../../contracts/frames.ts';
import { finalJobState } from '../../../contracts/task.ts';
import { plainReport } from '../../../domain/job.ts';

const jobId = `t${'a'.repeat(25)}.0123456789ab`;
const report = {
  ...plainReport('failed', 'exit_code'),
  ...{ exitCode: 1, startedAt: 1_800_000_000_000, finishedAt: 1_800_000_000_001 },
  ...{ stdoutBytes: 5, note: 'a note', signal: 'SIGTERM' },
};
const plain = [
  { type: 'ping', id: 7 },
  { type: 'ping', id: 7, sequence: 0 },
  { type: 'ack', jobId, state: 'acked' },
  { type: 'ack', jobId, state: 'running' },
  ...finalJobState.options.map((state) => ({
    type: 'result',
    jobId,
    report: { ...report, state },
  })),
  { type: 'result', jobId, report: plainReport('succeeded', null) },
];
const odd = [
  ...[
    undefined,
    null,
    true,
    -1,
    1.5,
    2 ** 53,
    Number.NaN,
    '',
    'x',
    'x'.repeat(65),
    'x'.repeat(501),
  ],
  ...[[], {}, [1], { a: 1 }, '0123456789ab', `${jobId}\n`, `T${jobId.slice(1)}`, 'queued'],
];

/** `frame` with each of its fields, and those of its report, once replaced by each odd value, or gone. */
function* spoilt(frame: Record<string, unknown>): Generator<Record<string, unknown>> {
  for (const field of [...Object.keys(frame), 'surprise']) {
    for (const value of odd) yield { ...frame, [field]: value };
    const { [field]: _, ...rest } = frame;
    yield rest;
  }
  if (typeof frame['report'] !== 'object') return;
  const inner = frame['report'] as Record<string, unknown>;
  for (const changed of spoilt(inner)) yield { ...frame, report: changed };
}

describe('reading agents’ frames', () => {
  it('plain pings, acks and results are known without asking the schema', () => {
    for (const frame of plain) assert.deepEqual(knownFrame(frame), frame);
  });

  it('whatever is known, the schema takes too, and as the same frame', () => {
    let asked = 0;
    for (const frame of plain) {
      for (const value of spoilt(frame)) {
        const known = knownFrame(value);
        if (known === null) continue;
        asked += 1;
        assert.deepEqual(known, agentFrame.parse(value));
      }
    }
    assert.ok(asked > 100, `${asked} were known`);
  });

  it('what is not known is what the schema says, and no JSON is no frame', () => {
    const hello = {
      ...{ type: 'hello', protocol: 2, agentId: '0123456789ab', journalId: '0'.repeat(26) },
      ...{ sequence: 0, version: '0.1.0', bootId: 'boot', later: 'ignored' },
    };
    const { later: _, ...schema } = hello;

    assert.deepEqual(readAgentFrame(JSON.stringify(hello)), schema);
    for (const text of ['', '{', 'null', '[]', '{"type":"surprise"}', '{"type":"ping"}']) {
      assert.equal(readAgentFrame(text), null);
    }
  });
});
