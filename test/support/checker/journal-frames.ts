import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

/** One record of an agent's journal, as much of it as the checker judges by. */
export type JournalFrame = {
  readonly seq: number;
  /** Unix milliseconds of the host's clock. */
  readonly at: number;
  readonly kind: string;
  readonly jobId: string;
  readonly slot: string | null;
  /** Of a `finished` record. */
  readonly state: string | null;
};

const headerBytes = 8;

/** All whole records in an agent's journal folder, by sequence. Knows nothing of the agent's code. */
export function readJournal(folder: string): readonly JournalFrame[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.log'))
    .flatMap((name) => framesOf(readFileSync(join(folder, name))))
    .sort((left, right) => left.seq - right.seq);
}

/** Length and CRC-32, big endian, then JSON. Reading ends at the first frame that is not whole. */
function framesOf(bytes: Buffer): JournalFrame[] {
  const frames: JournalFrame[] = [];
  for (let at = 0; at + headerBytes <= bytes.length; ) {
    const end = at + headerBytes + bytes.readUInt32BE(at);
    const payload = bytes.subarray(at + headerBytes, end);
    if (end > bytes.length || crc32(payload) !== bytes.readUInt32BE(at + 4)) break;
    frames.push(frameOf(JSON.parse(payload.toString('utf8'))));
    at = end;
  }
  return frames;
}

type Raw = {
  readonly seq: number;
  readonly at: number;
  readonly body: {
    readonly kind: string;
    readonly jobId: string;
    readonly slot?: string;
    readonly report?: { readonly state: string };
  };
};

const frameOf = ({ seq, at, body }: Raw): JournalFrame => ({
  seq,
  at,
  kind: body.kind,
  jobId: body.jobId,
  slot: body.slot ?? null,
  state: body.report?.state ?? null,
});
