import {
  closeSync,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { JobReport } from '../contracts/task.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import {
  decodeRecords,
  encodeRecord,
  type Intent,
  type JournalRecord,
  type RecordBody,
  type Started,
  type StopReason,
} from './journal-record.ts';

/** All the journal knows of a job. A job that has an entry is never started again (invariant 2). */
export type JournalEntry = {
  readonly jobId: string;
  /** When the first record of the job was written, Unix milliseconds of the host's clock. */
  readonly intendedAt: number;
  intent?: Intent;
  started?: Started;
  /** Set only if the stop came before the end: that order decides the outcome (rule R9). */
  stop?: StopReason;
  report?: JobReport;
  stored: boolean;
};

/** Forces a file's bytes to the disk. */
type SyncData = (fd: number) => Promise<void>;

type JournalDeps = {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  /** `fdatasync`; a test counts its calls, holds it up or has it fail. */
  readonly syncData?: SyncData;
  /** `fsync` of what an earlier process may have left unsynced; a test sees it. */
  readonly syncFile?: (path: string) => void;
};
type OpenFile = { readonly name: string; readonly fd: number; bytes: number };

const fdatasyncOf: SyncData = promisify(fdatasync);

/**
 * The agent's own truth about what ran on this host (design 3): append-only, one file a day,
 * records with CRC. An intent is on disk before its process exists. Appends of one moment share
 * one fsync. Damage never stops the agent and never leads to a second start.
 */
export class JobJournal {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #syncData: SyncData;
  readonly #entries = new Map<string, JournalEntry>();
  readonly #filesOf = new Map<string, Set<string>>();
  #file: OpenFile | undefined;
  #lastSequence = 0;
  /** The file that holds the record of that number; it is never removed (rule R16). */
  #lastFile: string | undefined;
  #durableSequence = 0;
  #lastSync: Promise<void> = Promise.resolve();
  #nextSync: Promise<void> | undefined;

  private constructor(deps: JournalDeps) {
    this.#directory = deps.directory;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#syncData = deps.syncData ?? fdatasyncOf;
  }

  /** Reads what is there and cuts a torn tail off, so that new records follow the last good one. */
  static open(deps: JournalDeps): JobJournal {
    const journal = new JobJournal(deps);
    mkdirSync(deps.directory, { recursive: true, mode: 0o700 });
    // By sequence, not by file: a clock that was set back puts later records into an older file.
    const found = journal.#names().flatMap((name) => journal.#read(name));
    for (const { record, name } of found.sort((a, b) => a.record.seq - b.record.seq)) {
      journal.#fold(record, name);
      journal.#lastSequence = record.seq;
      journal.#lastFile = name;
    }
    // A start is written without waiting for the disk; told as durable, a power cut would make it a journal that was set back.
    const last = journal.#lastFile;
    if (last !== undefined) (deps.syncFile ?? syncPath)(join(deps.directory, last));
    journal.#durableSequence = journal.#lastSequence;
    return journal;
  }

  /** The highest sequence number that a power cut cannot take back (rule R16). */
  get sequence(): number {
    return this.#durableSequence;
  }

  entry(jobId: string): Readonly<JournalEntry> | undefined {
    return this.#entries.get(jobId);
  }

  entries(): Iterable<Readonly<JournalEntry>> {
    return this.#entries.values();
  }

  /** Resolves once the record is on disk; rejects if it cannot be written, and then it is not there. */
  async append(body: RecordBody): Promise<void> {
    this.write(body);
    await this.#sync();
  }

  /** Writes without waiting for the disk: survives the agent's death, not the host's. Throws as `append`. */
  write(body: RecordBody): void {
    const record = { seq: this.#lastSequence + 1, at: this.#clock.now(), body };
    const file = this.#fileOfToday();
    const bytes = encodeRecord(record);
    try {
      const written = writeSync(file.fd, bytes, 0, bytes.length, file.bytes);
      if (written !== bytes.length) throw new Error('the disk took part of a record');
    } catch (error) {
      // What was taken must not stand between this record and the next.
      ftruncateSync(file.fd, file.bytes);
      throw error;
    }
    file.bytes += bytes.length;
    this.#lastSequence = record.seq;
    this.#lastFile = file.name;
    this.#fold(record, file.name);
  }

  /**
   * As `append`, but never rejects: an outcome that the disk has no room for is kept in memory and
   * told, and after a restart it is derived again from the job's folder.
   */
  async record(body: RecordBody): Promise<void> {
    try {
      await this.append(body);
    } catch (error) {
      this.#log.error(
        { error, kind: body.kind, jobId: body.jobId },
        'the journal cannot be written',
      );
      this.#fold({ seq: this.#lastSequence, at: this.#clock.now(), body }, undefined);
    }
  }

  /**
   * Forgets days that are older than `keptMs` and whose jobs have all ended, are stored at the
   * gateway and may no longer start by their `notAfter` (rule R10). `removeFolder` is called first.
   */
  retire(keptMs: number, removeFolder: (jobId: string) => void): void {
    const before = dayOf(this.#clock.now() - keptMs);
    for (const name of this.#names()) {
      if (name >= before || name === this.#file?.name || name === this.#lastFile) continue;
      const jobs = [...this.#filesOf].filter(([, files]) => files.has(name)).map(([id]) => id);
      if (!jobs.every((id) => this.#mayForget(id))) continue;
      for (const id of jobs) {
        removeFolder(id);
        this.#entries.delete(id);
        this.#filesOf.delete(id);
      }
      unlinkSync(join(this.#directory, name));
    }
  }

  /** Waits for what is being written. Call last. */
  async close(): Promise<void> {
    await this.#sync().catch((error: unknown) => {
      this.#log.error({ error }, 'the journal cannot be synced');
    });
    if (this.#file !== undefined) closeSync(this.#file.fd);
    this.#file = undefined;
  }

  #names(): string[] {
    return readdirSync(this.#directory)
      .filter((name) => /^\d{8}\.log$/.test(name))
      .sort();
  }

  #read(name: string): { record: JournalRecord; name: string }[] {
    const path = join(this.#directory, name);
    const bytes = readFileSync(path);
    const { records, goodBytes } = decodeRecords(bytes);
    const found = records.map((record) => ({ record, name }));
    if (goodBytes === bytes.length) return found;
    this.#log.warn({ file: name, cutBytes: bytes.length - goodBytes }, 'cut a torn journal tail');
    const fd = openSync(path, 'r+');
    ftruncateSync(fd, goodBytes);
    fsyncSync(fd);
    closeSync(fd);
    return found;
  }

  #fold({ at, body }: JournalRecord, file: string | undefined): void {
    const { jobId } = body;
    const entry = this.#entries.get(jobId) ?? { jobId, intendedAt: at, stored: false };
    this.#entries.set(body.jobId, entry);
    if (file !== undefined) {
      const files = this.#filesOf.get(body.jobId) ?? new Set();
      this.#filesOf.set(body.jobId, files.add(file));
    }
    switch (body.kind) {
      case 'intent':
        entry.intent ??= body;
        break;
      case 'started':
        entry.started ??= body;
        break;
      case 'stop_requested':
        if (entry.report === undefined) entry.stop ??= body.reason;
        break;
      case 'finished':
        entry.report ??= body.report;
        break;
      case 'stored':
        entry.stored = true;
        break;
    }
  }

  #mayForget(jobId: string): boolean {
    const entry = this.#entries.get(jobId);
    if (entry === undefined) return true;
    const mayStillStart = (entry.intent?.notAfter ?? 0) > this.#clock.now();
    return entry.report !== undefined && entry.stored && !mayStillStart;
  }

  #fileOfToday(): OpenFile {
    const name = `${dayOf(this.#clock.now())}.log`;
    const current = this.#file;
    // A clock that was set back goes on in the newer file: order is by sequence, names only age.
    if (current !== undefined && name <= current.name) return current;
    const path = join(this.#directory, name);
    const fd = openSync(path, 'a+', 0o600);
    const next = { name, fd, bytes: fstatSync(fd).size };
    syncPath(this.#directory);
    this.#file = next;
    if (current !== undefined) {
      fsyncSync(current.fd);
      // A shared sync may still hold the old file; whoever awaits it hears how it failed.
      this.#lastSync = this.#lastSync.catch(() => {}).finally(() => closeSync(current.fd));
    }
    return next;
  }

  /** One fsync for all that was written before it begins; one that has begun may miss the latest. */
  #sync(): Promise<void> {
    if (this.#nextSync !== undefined) return this.#nextSync;
    const turn = this.#lastSync.catch(() => {}).then(() => this.#syncNow());
    this.#nextSync = turn;
    this.#lastSync = turn;
    return turn;
  }

  async #syncNow(): Promise<void> {
    this.#nextSync = undefined;
    const upTo = this.#lastSequence;
    if (this.#file !== undefined) await this.#syncData(this.#file.fd);
    this.#durableSequence = Math.max(this.#durableSequence, upTo);
  }
}

/** What the parts of an agent need of its journal, wherever it is kept. */
export type Journal = Pick<JobJournal, keyof JobJournal>;

const dayMs = 86_400_000;
let latest = { day: 0, name: '19700101' };

/** The last one is remembered: it is asked for with each record. */
function dayOf(unixMs: number): string {
  const day = Math.floor(unixMs / dayMs);
  if (latest.day !== day) {
    const name = new Date(day * dayMs).toISOString().slice(0, 10).replaceAll('-', '');
    latest = { day, name };
  }
  return latest.name;
}

function syncPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
