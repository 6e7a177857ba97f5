import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { knownFrame, readGatewayFrame } from '../../../agent/gateway-frame-reader.ts';
import { gatewayFrame } from '../../../contracts/frames.ts';
import { limits } from '../../../contracts/limits.ts';

const jobId = `t${'a'.repeat(25)}.0123456789ab`;
const signature = `${'A'.repeat(86)}==`;
const pong = { type: 'pong', id: 7, gatewayTime: 1_800_000_000_000, lease: true, stopped: false };
const dispatch = {
  ...{ type: 'dispatch', jobId, job: '{"version":1}', content: 'exit 0\n' },
  have: { stdout: 0, stderr: 5 },
};
const plain = [
  pong,
  { ...pong, lease: false, stopped: true, stored: [jobId, jobId] },
  { ...pong, stored: [] },
  dispatch,
  { ...dispatch, signature },
  { type: 'stored', jobId },
];
const many = (count: number) => Array.from({ length: count }, () => jobId);
const odd = fc.oneof(
  fc.constantFrom<unknown>(
    ...[undefined, null, -1, 1.5, -0, 2 ** 53, Number.NaN, '', 'x', [], [jobId, 'x'], `${jobId}\n`],
    ...[
      {},
      { stdout: 1 },
      { stdout: 1, stderr: -1 },
      { stdout: 1, stderr: 2, more: 3 },
      [undefined],
    ],
    ...[signature.replace('AA==', 'AB=='), `${signature}\n`, many(limits.storedTellingMax + 1)],
    ...['x'.repeat(limits.scriptBytes), 'x'.repeat(limits.scriptBytes + 1), Array(2)],
  ),
  fc.anything(),
);

describe('reading gateways’ frames', () => {
  it('plain pongs, dispatches and words on stored results are known without asking the schema', () => {
    for (const frame of plain) assert.deepEqual(knownFrame(frame), frame);
  });

  it('whatever is known, the schema takes too, and as the same frame', () => {
    let asked = 0;
    const fields = ['type', 'id', 'gatewayTime', 'lease', 'stopped', 'stored', 'jobId', 'job'];
    const field = fc.constantFrom(...fields, 'content', 'have', 'signature', 'surprise');
    fc.assert(
      fc.property(
        fc.constantFrom(...plain),
        field,
        odd,
        fc.boolean(),
        (frame, name, value, gone) => {
          const { [name]: _, ...rest } = frame as Record<string, unknown>;
          const spoilt = gone ? rest : { ...frame, [name]: value };
          const known = knownFrame(spoilt);
          if (known === null) return;
          asked += 1;
          assert.deepEqual(known, gatewayFrame.parse(spoilt));
        },
      ),
      { numRuns: 5_000 },
    );
    assert.ok(asked > 500, `${asked} were known`);
  });

  it('what is not known is what the schema says, and no JSON is no frame', () => {
    const bye = { type: 'bye', reason: 'draining', retryAfterMs: 5 };

    assert.deepEqual(readGatewayFrame(JSON.stringify({ ...bye, later: 'ignored' })), bye);
    for (const text of ['', '{', 'null', '[]', '{"type":"surprise"}', '{"type":"pong"}']) {
      assert.equal(readGatewayFrame(text), null);
    }
  });
});
