import { appendFile, mkdir, open, readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from './clock.ts';
import { sha256Hex } from './digest.ts';

/** One decision, as evidence. `object` and `detail` hold no secrets (invariant 10). */
export type AuditEntry = {
  readonly kind: string;
  readonly actor: string;
  readonly object: string;
  readonly detail: Readonly<Record<string, unknown>>;
};
export type AuditRecord = AuditEntry & {
  readonly seq: number;
  readonly at: string;
  readonly previous: string;
  readonly hash: string;
};

export type AuditVerdict =
  | { readonly kind: 'whole'; readonly files: number; readonly records: number }
  | {
      readonly kind: 'broken';
      readonly file: string;
      readonly line: number;
      readonly reason: string;
    };

const genesis = '0'.repeat(64);
const hashOf = (previous: string, record: Omit<AuditRecord, 'hash'>): string =>
  sha256Hex(previous + JSON.stringify(record));

/**
 * An append-only, hash-chained log: one file per program and day, chained over the days
 * (security 7). One writer per name; appends are written in order and fsynced before they
 * resolve, so a recorded decision survives a power cut.
 */
export class AuditLog {
  readonly #directory: string;
  readonly #writer: string;
  readonly #clock: Clock;
  #tail: Promise<unknown> = Promise.resolve();
  #last: { seq: number; hash: string } | undefined;

  constructor(of: { readonly directory: string; readonly writer: string; readonly clock: Clock }) {
    this.#directory = of.directory;
    this.#writer = of.writer;
    this.#clock = of.clock;
  }

  /** Resolves once the record is on disk; rejects if it cannot be written. */
  append(entry: AuditEntry): Promise<AuditRecord> {
    const written = this.#tail.then(() => this.#write(entry));
    this.#tail = written.catch(() => undefined);
    return written;
  }

  async #write(entry: AuditEntry): Promise<AuditRecord> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    this.#last ??= await recoverLast(this.#directory, this.#writer);
    const at = new Date(this.#clock.now()).toISOString();
    const body = { seq: this.#last.seq + 1, at, ...entry, previous: this.#last.hash };
    const record = { ...body, hash: hashOf(this.#last.hash, body) };
    const name = join(this.#directory, `${this.#writer}-${at.slice(0, 10)}.jsonl`);
    const file = await open(name, 'a', 0o600);
    // Until it is on disk the end of the file is not known, as after a full disk.
    this.#last = undefined;
    try {
      await appendFile(file, `${JSON.stringify(record)}\n`);
      await file.datasync();
    } finally {
      await file.close();
    }
    this.#last = { seq: record.seq, hash: record.hash };
    return record;
  }
}

/** All records of all writers, oldest first per writer. Lines that are no JSON are left out. */
export async function readAudit(directory: string): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for (const name of await filesOf(directory)) {
    for (const line of await linesOf(join(directory, name))) {
      const record = parseRecord(line);
      if (record) records.push(record);
    }
  }
  return records.sort((left, right) => (left.at < right.at ? -1 : left.at > right.at ? 1 : 0));
}

/** Checks every chain offline; names the first bad record. A cut-off end cannot be seen this way. */
export async function verifyAudit(directory: string): Promise<AuditVerdict> {
  const heads = new Map<string, { seq: number; hash: string }>();
  const files = await filesOf(directory);
  let records = 0;
  for (const file of files) {
    const writer = writerOf(file);
    for (const [index, line] of (await linesOf(join(directory, file))).entries()) {
      const record = parseRecord(line);
      const head = heads.get(writer) ?? { seq: 0, hash: genesis };
      const reason = record === null ? 'is not a record' : flawIn(record, head);
      if (reason !== null || record === null) {
        return { kind: 'broken', file, line: index + 1, reason: reason ?? 'is not a record' };
      }
      heads.set(writer, { seq: record.seq, hash: record.hash });
      records += 1;
    }
  }
  return { kind: 'whole', files: files.length, records };
}

function flawIn(record: AuditRecord, head: { seq: number; hash: string }): string | null {
  const { hash, ...body } = record;
  if (record.seq !== head.seq + 1) return `has number ${record.seq}, ${head.seq + 1} was due`;
  if (record.previous !== head.hash) return 'does not follow the record before it';
  return hash === hashOf(head.hash, body) ? null : 'was changed after it was written';
}

/**
 * The last record of a writer, after cutting off what a crash left half-written behind it: nobody
 * was told that such a record is kept, and the next one needs a line of its own.
 */
async function recoverLast(
  directory: string,
  writer: string,
): Promise<{ seq: number; hash: string }> {
  const newest = (await filesOf(directory)).filter((name) => writerOf(name) === writer).at(-1);
  if (newest !== undefined) {
    const path = join(directory, newest);
    const bytes = await readFile(path);
    const whole = bytes.lastIndexOf('\n') + 1;
    if (whole < bytes.length) await truncate(path, whole);
  }
  return lastOf(directory, writer);
}

async function lastOf(directory: string, writer: string): Promise<{ seq: number; hash: string }> {
  const mine = (await filesOf(directory)).filter((name) => writerOf(name) === writer);
  for (const name of mine.reverse()) {
    const record = (await linesOf(join(directory, name)))
      .map(parseRecord)
      .findLast((found) => found !== null);
    if (record) return { seq: record.seq, hash: record.hash };
  }
  return { seq: 0, hash: genesis };
}

/** One writer's name may begin with another's. */
const writerOf = (file: string): string => file.slice(0, -'-YYYY-MM-DD.jsonl'.length);

async function filesOf(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => name.endsWith('.jsonl')).sort();
}

const linesOf = async (path: string): Promise<string[]> =>
  (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '');

function parseRecord(line: string): AuditRecord | null {
  try {
    return JSON.parse(line) as AuditRecord; // Its hash is what proves its shape.
  } catch {
    return null;
  }
}
