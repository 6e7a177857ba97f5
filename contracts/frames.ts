import { z } from 'zod';
import { limits } from './limits.ts';
import { agentId, job, jobId, jobReport, journalId, signature } from './task.ts';
import { trustEnvelope } from './trust.ts';

/**
 * The agent link (design 5.7): JSON text frames for control, binary frames for output. A peer
 * ignores unknown fields and refuses unknown types by name. The version moves when a frame
 * changes in a way the other side would misread; N and N−1 are accepted by gateways, which are
 * therefore upgraded before the agents. Frames that version 1 does not know (`trust`, `resync`,
 * `output-get`, `stored` in a pong) go only to sessions whose hello said 2 or more.
 */
export const protocolVersion = 2;
export const protocolVersions: readonly number[] = [2, 1];

/** First frame of an agent, within 5 s of the upgrade. Its id must be the certificate's (invariant 9). */
export const hello = z.object({
  type: z.literal('hello'),
  protocol: z.int(),
  agentId,
  journalId,
  /** Highest sequence number of the journal (rule R16). */
  sequence: z.int().min(0),
  version: z.string().max(32),
  bootId: z.string().max(64),
});

export const ping = z.object({
  type: z.literal('ping'),
  id: z.int(),
  /** As in the hello, so that a journal set back to between two hellos is noticed (rule R16). */
  sequence: z.int().min(0).optional(),
  /**
   * How far the host's own clock is ahead of the gateway's, milliseconds, negative if it is behind;
   * absent while that is within `limits.clockOffsetMs` or not known yet.
   */
  clockOffsetMs: z.int().optional(),
});

/** The agent's word on a job: `acked` once the intent is on disk, `running` once spawned. */
export const jobAck = z.object({
  type: z.literal('ack'),
  jobId,
  state: z.enum(['acked', 'running']),
});

/** The end of a job. Sent again on every connect until the gateway stored it. */
export const result = z.object({ type: z.literal('result'), jobId, report: jobReport });

/**
 * Answers `resync`: the job's exact text and signature as they came, both null if the agent does not
 * have them (any more). After it the agent tells again how the job stands.
 */
export const jobTextFrame = z.object({
  type: z.literal('job-text'),
  jobId,
  job: z.string().max(limits.frameBytes).nullable(),
  signature: signature.nullable(),
});

export const agentBye = z.object({ type: z.literal('bye'), reason: z.string().max(200) });

/** Everything an agent may send as text. */
export const agentFrame = z.discriminatedUnion('type', [
  hello,
  ping,
  jobAck,
  result,
  jobTextFrame,
  agentBye,
]);
export type AgentFrame = z.infer<typeof agentFrame>;

export const welcome = z.object({
  type: z.literal('welcome'),
  protocol: z.int(),
  sessionId: z.string(),
  gatewayId: z.string(),
  /** What the gateway asks for; both in milliseconds. */
  pingMs: z.int().positive(),
  startLeaseMs: z.int().positive(),
});

/**
 * Answer to a ping. `lease` grants starts until the ping's own send time + `startLeaseMs`, on the
 * agent's monotonic clock (rule R10). `gatewayTime` is Unix milliseconds.
 */
export const pong = z.object({
  type: z.literal('pong'),
  id: z.int(),
  gatewayTime: z.int(),
  lease: z.boolean(),
  stopped: z.boolean(),
  /** Jobs whose results the gateway has stored since the last pong. From version 2 on. */
  stored: z.array(jobId).max(limits.storedTellingMax).optional(),
});

/**
 * A job to run, or to answer from the journal. `job` is the exact text of the job's bytes and
 * `signature` the submitter's over them; an agent of version 2 runs nothing without one. `have`
 * says how much output the gateway holds already, so that a repeat sends the rest only.
 */
export const dispatch = z.object({
  type: z.literal('dispatch'),
  jobId,
  job: z.string().max(limits.frameBytes),
  signature: signature.optional(),
  content: z.string().max(limits.scriptBytes),
  have: z.object({ stdout: z.int().min(0), stderr: z.int().min(0) }),
});

export const cancel = z.object({
  type: z.literal('cancel'),
  jobId,
  reason: z.enum(['operator', 'resolved', 'stop']),
});

/** Asks for a piece of a job's output that lies on the host; answered by an `OutputAnswer` of its `id`. From version 2 on. */
export const outputGet = z.object({
  type: z.literal('output-get'),
  id: z.int().min(1).max(0xffff_ffff),
  jobId,
  stream: z.enum(['stdout', 'stderr']),
  /** Both in bytes. */
  offset: z.int().min(0).max(limits.outputBytes),
  limit: z.int().min(1).max(limits.outputGetBytes),
});

/**
 * The gateway stored the result; the agent need not send it again. To version 1, and when more
 * results came than one pong tells of; all others are told by the next pong.
 */
export const resultStored = z.object({ type: z.literal('stored'), jobId });

/** Whom to trust from now on; the agent takes it only if a key that it trusts already says so. */
export const trust = z.object({ type: z.literal('trust'), bundle: trustEnvelope });

/** The gateway does not know the job's task: Redis has lost it. Asks for the job's text (rule R6). */
export const resync = z.object({ type: z.literal('resync'), jobId });

export const gatewayBye = z.object({
  type: z.literal('bye'),
  reason: z.string().max(200),
  /** Come back no sooner than this. */
  retryAfterMs: z.int().min(0),
});

/** Everything a gateway may send as text. */
export const gatewayFrame = z.discriminatedUnion('type', [
  welcome,
  pong,
  dispatch,
  cancel,
  resultStored,
  resync,
  trust,
  outputGet,
  gatewayBye,
]);
export type GatewayFrame = z.infer<typeof gatewayFrame>;

export const jobText = job;

export type OutputStream = 'stdout' | 'stderr';

/**
 * One piece of a job's output. While the job runs come the pieces of its head, in order and without
 * gaps; at its end, before the result, the tail, which may leave a gap after the whole head. An agent
 * of version 1 sends everything, without gaps.
 */
export type OutputFrame = {
  readonly jobId: string;
  readonly stream: OutputStream;
  /** Byte offset of the first byte of `data`. */
  readonly offset: number;
  readonly data: Buffer;
};

// Header: version (1), stream (1: 1 stdout, 2 stderr), length of job id (2, big endian),
// offset (8, big endian); then the job id in ASCII, then the bytes.
const headerBytes = 12;

/** An output frame as bytes. */
export function encodeOutput(frame: OutputFrame): Buffer {
  const id = Buffer.from(frame.jobId, 'ascii');
  const header = Buffer.alloc(headerBytes);
  header.writeUInt8(1, 0);
  header.writeUInt8(frame.stream === 'stdout' ? 1 : 2, 1);
  header.writeUInt16BE(id.length, 2);
  header.writeBigUInt64BE(BigInt(frame.offset), 4);
  return Buffer.concat([header, id, frame.data]);
}

/** The output frame in `bytes`, or null if they are none. Never throws. */
export function decodeOutput(bytes: Buffer): OutputFrame | null {
  if (bytes.length < headerBytes || bytes.readUInt8(0) !== 1) return null;
  const stream = bytes.readUInt8(1);
  const idLength = bytes.readUInt16BE(2);
  const offset = bytes.readBigUInt64BE(4);
  if ((stream !== 1 && stream !== 2) || bytes.length < headerBytes + idLength) return null;
  const id = jobId.safeParse(bytes.toString('ascii', headerBytes, headerBytes + idLength));
  if (!id.success || offset > BigInt(limits.outputBytes)) return null;
  return {
    jobId: id.data,
    stream: stream === 1 ? 'stdout' : 'stderr',
    offset: Number(offset),
    data: bytes.subarray(headerBytes + idLength),
  };
}

/** A host's answer to `output-get`. `gone`: it keeps none of that job; `busy`: ask again later. */
export type OutputAnswer =
  | {
      readonly kind: 'piece';
      readonly id: number;
      /** As it was asked for; fewer bytes than asked end where the output ends by now. */
      readonly offset: number;
      /** Bytes of the stream that can be read by now. */
      readonly total: number;
      readonly data: Buffer;
    }
  | { readonly kind: 'gone' | 'busy'; readonly id: number };

// Header: version (2), kind (1), question (4), offset (8), total (8), all big endian; then the bytes.
const answerHeaderBytes = 22;
const answerKinds = ['piece', 'gone', 'busy'] as const;

/** Whether a binary frame answers `output-get` rather than being a piece of a job's output. */
export const isOutputAnswer = (bytes: Buffer): boolean => bytes[0] === 2;

/** An answer as a binary frame. */
export function encodeOutputAnswer(answer: OutputAnswer): Buffer {
  const header = Buffer.alloc(answerHeaderBytes);
  header.writeUInt8(2, 0);
  header.writeUInt8(answerKinds.indexOf(answer.kind), 1);
  header.writeUInt32BE(answer.id, 2);
  if (answer.kind !== 'piece') return header;
  header.writeBigUInt64BE(BigInt(answer.offset), 6);
  header.writeBigUInt64BE(BigInt(answer.total), 14);
  return Buffer.concat([header, answer.data]);
}

/** The answer in `bytes`, or null if they are none. Never throws. */
export function decodeOutputAnswer(bytes: Buffer): OutputAnswer | null {
  if (bytes.length < answerHeaderBytes || !isOutputAnswer(bytes)) return null;
  const kind = answerKinds[bytes.readUInt8(1)];
  const id = bytes.readUInt32BE(2);
  if (kind === undefined) return null;
  if (kind !== 'piece') return { kind, id };
  const [offset, total] = [bytes.readBigUInt64BE(6), bytes.readBigUInt64BE(14)];
  const data = bytes.subarray(answerHeaderBytes);
  const most = BigInt(limits.outputBytes);
  if (offset > most || total > most || data.length > limits.outputGetBytes) return null;
  return { kind, id, offset: Number(offset), total: Number(total), data };
}
