import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  agentFrame,
  decodeOutput,
  decodeOutputAnswer,
  encodeOutput,
  encodeOutputAnswer,
  gatewayFrame,
} from '../../contracts/frames.ts';
import { limits } from '../../contracts/limits.ts';
import { schemaCases } from '../support/schema-cases.ts';

const agentId = 'a0b1c2d3e4f5';
const journalId = 'a0b1c2d3e4f5g6h7j8k9m0n1p2';
const jobId = `t${'a'.repeat(25)}.${agentId}`;
const report = {
  state: 'succeeded',
  reason: null,
  exitCode: 0,
  signal: null,
  startedAt: 1,
  finishedAt: 2,
  stdoutBytes: 0,
  stderrBytes: 0,
  note: null,
};
const signature = `${'a'.repeat(85)}Q==`;
const aDispatch = {
  type: 'dispatch',
  jobId,
  job: '{}',
  content: 'exit 0\n',
  have: { stdout: 0, stderr: 0 },
};

describe('frames of the agent link', () => {
  schemaCases('hello', agentFrame, {
    valid: [
      {
        type: 'hello',
        protocol: 1,
        agentId,
        journalId,
        sequence: 0,
        version: '0.1.0',
        bootId: 'b',
        later: 'ignored',
      },
    ],
    refused: [
      ['type', 'hallo'],
      ['protocol', '1'],
      ['agentId', 'agent-1'],
      ['journalId', undefined],
      ['sequence', -1],
      ['version', 'x'.repeat(33)],
      ['bootId', 'x'.repeat(65)],
    ],
  });
  schemaCases('ping', agentFrame, {
    valid: [{ type: 'ping', id: 1 }],
    refused: [['id', 'a']],
  });
  schemaCases('ack', agentFrame, {
    valid: [{ type: 'ack', jobId, state: 'acked' }],
    refused: [
      ['state', 'succeeded'],
      ['jobId', agentId],
    ],
  });
  schemaCases('result', agentFrame, {
    valid: [{ type: 'result', jobId, report }],
    refused: [
      ['jobId', undefined],
      ['report', undefined],
      ['report.state', 'ok'],
    ],
  });
  schemaCases('job-text', agentFrame, {
    valid: [
      { type: 'job-text', jobId, job: '{}', signature },
      { type: 'job-text', jobId, job: null, signature: null },
    ],
    refused: [
      ['jobId', 'job'],
      ['job', undefined],
      ['signature', 'none'],
    ],
  });
  schemaCases('an agent’s bye', agentFrame, {
    valid: [{ type: 'bye', reason: 'stopping' }],
    refused: [['reason', 'x'.repeat(201)]],
  });
  schemaCases('welcome', gatewayFrame, {
    valid: [
      {
        type: 'welcome',
        protocol: 1,
        sessionId: 's',
        gatewayId: 'g',
        pingMs: 4_000,
        startLeaseMs: 10_000,
      },
    ],
    refused: [
      ['type', 'hello'],
      ['pingMs', 0],
      ['startLeaseMs', -1],
    ],
  });
  schemaCases('pong', gatewayFrame, {
    valid: [
      { type: 'pong', id: 1, gatewayTime: 1, lease: true, stopped: false, stored: [jobId] },
      { type: 'pong', id: 1, gatewayTime: 1, lease: true, stopped: false },
    ],
    refused: [
      ['stored', jobId],
      ['stored.0', 'job'],
      ['stored', Array.from({ length: limits.storedTellingMax + 1 }, () => jobId)],
      ['lease', 'yes'],
      ['stopped', undefined],
      ['gatewayTime', 1.5],
    ],
  });
  schemaCases('dispatch', gatewayFrame, {
    valid: [aDispatch, { ...aDispatch, signature }],
    refused: [
      ['signature', 'none'],
      ['jobId', 'job'],
      ['job', undefined],
      ['content', 'x'.repeat(limits.scriptBytes + 1)],
      ['have.stdout', -1],
    ],
  });
  schemaCases('resync', gatewayFrame, {
    valid: [{ type: 'resync', jobId }],
    refused: [['jobId', agentId]],
  });
  schemaCases('trust', gatewayFrame, {
    valid: [
      {
        type: 'trust',
        bundle: {
          payloadType: 'application/vnd.fixpoint.trust+json',
          payload: 'e30=',
          signatures: [{ keyid: '0123456789abcdef', sig: signature }],
        },
      },
    ],
    refused: [
      ['bundle', undefined],
      // A job's signature must never do for a bundle.
      ['bundle.payloadType', 'application/vnd.fixpoint.job+json'],
      ['bundle.payload', '{}'],
      ['bundle.signatures', []],
      ['bundle.signatures.0.sig', 'none'],
    ],
  });
  schemaCases('cancel', gatewayFrame, {
    valid: [{ type: 'cancel', jobId, reason: 'stop' }],
    refused: [['reason', 'because']],
  });
  schemaCases('stored', gatewayFrame, {
    valid: [{ type: 'stored', jobId }],
    refused: [['jobId', '']],
  });
  schemaCases('output-get', gatewayFrame, {
    valid: [{ type: 'output-get', id: 1, jobId, stream: 'stderr', offset: 0, limit: 1 }],
    refused: [
      ['id', 0],
      ['jobId', ''],
      ['stream', 'stdlog'],
      ['offset', limits.outputBytes + 1],
      ['limit', limits.outputGetBytes + 1],
    ],
  });
  schemaCases('a gateway’s bye', gatewayFrame, {
    valid: [{ type: 'bye', reason: 'drain', retryAfterMs: 0 }],
    refused: [['retryAfterMs', -1]],
  });

  it('an output frame comes back as it went, and any damage to its head is none', () => {
    const frame = { jobId, stream: 'stderr' as const, offset: 1_234, data: Buffer.from('日本') };
    const bytes = encodeOutput(frame);
    const at = (index: number, value: number) => {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt8(value, index);
      return damaged;
    };

    assert.deepEqual(decodeOutput(bytes), frame);
    for (const damaged of [
      Buffer.alloc(0),
      bytes.subarray(0, 11),
      bytes.subarray(0, 20),
      at(0, 2),
      at(1, 3),
      at(2, 255),
      at(4, 1),
      at(12, 0x2f),
    ]) {
      assert.equal(decodeOutput(damaged), null);
    }
  });

  it('an answer to output-get comes back as it went, and any damage to its head is none', () => {
    const data = Buffer.from('日本');
    const piece = { kind: 'piece' as const, id: 4_000_000_000, offset: 1_234, total: 9_999, data };
    const bytes = encodeOutputAnswer(piece);
    const at = (index: number, value: number) => {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt8(value, index);
      return damaged;
    };

    assert.deepEqual(decodeOutputAnswer(bytes), piece);
    for (const kind of ['gone', 'busy'] as const) {
      assert.deepEqual(decodeOutputAnswer(encodeOutputAnswer({ kind, id: 5 })), { kind, id: 5 });
    }
    const long = { ...piece, data: Buffer.alloc(limits.outputGetBytes + 1) };
    for (const damaged of [
      Buffer.alloc(0),
      bytes.subarray(0, 21),
      at(0, 1),
      at(1, 3),
      at(6, 1),
      at(14, 1),
      encodeOutputAnswer(long),
    ]) {
      assert.equal(decodeOutputAnswer(damaged), null);
    }
    assert.equal(decodeOutput(bytes), null);
  });
});
