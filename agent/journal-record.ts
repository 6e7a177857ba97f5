import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { jobId, jobReport } from '../contracts/task.ts';

/** Why the agent ends a job before its script does. */
export const stopReason = z.enum(['timeout', 'operator', 'resolved', 'stop', 'overflow']);
export type StopReason = z.infer<typeof stopReason>;

/** What must be known of a job after any restart. No arguments, environment or secrets (invariant 10). */
export const intentBody = z.object({
  kind: z.literal('intent'),
  jobId,
  slot: z.string(),
  attempt: z.int(),
  bootId: z.string(),
  notAfter: z.int(),
  timeoutMs: z.int(),
  outputBytes: z.int(),
  /** The script's purpose is a reboot of the host (rule R11). */
  expectReboot: z.literal(true).optional(),
});
export type Intent = z.infer<typeof intentBody>;

const startedBody = z.object({
  kind: z.literal('started'),
  jobId,
  pid: z.int().positive(),
  /** With the pid, names one process of one boot. */
  startTime: z.string(),
  /** Unix milliseconds of the host's clock. */
  startedAt: z.int(),
  /** Folder of the control group that the process was told to enter; absent if there is none. */
  cgroup: z.string().max(4096).optional(),
});
export type Started = z.infer<typeof startedBody>;

const body = z.discriminatedUnion('kind', [
  intentBody,
  startedBody,
  z.object({ kind: z.literal('stop_requested'), jobId, reason: stopReason }),
  z.object({ kind: z.literal('finished'), jobId, report: jobReport }),
  z.object({ kind: z.literal('stored'), jobId }),
]);
export type RecordBody = z.infer<typeof body>;

const record = z.object({ seq: z.int().positive(), at: z.int(), body });
/** `at` is Unix milliseconds of the host's clock, for people; order is by `seq`. */
export type JournalRecord = z.infer<typeof record>;

const headerBytes = 8;
/** The longest record is far below; a longer length is damage, not a record. */
const payloadMaxBytes = 16 * 1024;

/** A record as bytes: length and CRC-32 of the payload, big endian, then JSON. */
export function encodeRecord(of: JournalRecord): Buffer {
  const text = JSON.stringify(of);
  const bytes = Buffer.allocUnsafe(headerBytes + Buffer.byteLength(text, 'utf8'));
  bytes.write(text, headerBytes, 'utf8');
  bytes.writeUInt32BE(bytes.length - headerBytes, 0);
  bytes.writeUInt32BE(crc32(bytes.subarray(headerBytes)), 4);
  return bytes;
}

/**
 * The good records of a file, in order, and the offset behind the last of them. Damage in the
 * middle is stepped over to the next good record: whatever can be known stays known, because
 * each intent read is a start that never happens twice (invariant 2). Never throws.
 */
export function decodeRecords(bytes: Buffer): { records: JournalRecord[]; goodBytes: number } {
  const records: JournalRecord[] = [];
  let goodBytes = 0;
  let at = 0;
  while (at + headerBytes <= bytes.length) {
    const found = recordAt(bytes, at);
    if (found === null) {
      at += 1;
      continue;
    }
    records.push(found.record);
    at = found.end;
    goodBytes = at;
  }
  return { records, goodBytes };
}

function recordAt(bytes: Buffer, at: number): { record: JournalRecord; end: number } | null {
  const length = bytes.readUInt32BE(at);
  const end = at + headerBytes + length;
  if (length < 2 || length > payloadMaxBytes || end > bytes.length) return null;
  const payload = bytes.subarray(at + headerBytes, end);
  if (crc32(payload) !== bytes.readUInt32BE(at + 4)) return null;
  try {
    const parsed = record.safeParse(JSON.parse(payload.toString('utf8')));
    return parsed.success ? { record: parsed.data, end } : null;
  } catch {
    // A CRC that fits by chance over something that is no JSON is damage like any other.
    return null;
  }
}
