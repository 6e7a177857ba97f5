import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { OutputStream } from '../contracts/frames.ts';
import { type Intent, intentBody } from './journal-record.ts';
import { maskBeginning, maskReachBytes, maskSecrets } from './secret-mask.ts';

export type OutputSizes = { readonly stdout: number; readonly stderr: number };

/** A job's exact bytes as text, and the submitter's signature over them. */
export type SignedJob = { readonly text: string; readonly signature: string | null };

type Stdin =
  | { readonly kind: 'none' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly path: string };

const signedBody = z.object({ job: z.string(), signature: z.string().nullable() });

const streams: readonly OutputStream[] = ['stdout', 'stderr'];

/**
 * The folder of one job: what its helper reads and writes, and a second witness beside the journal
 * that the job was about to start. Output read from it never holds a secret of the job (invariant 10).
 */
export class JobFolder {
  readonly path: string;
  readonly jobId: string;
  #pieces: readonly Buffer[] | undefined;

  constructor(path: string, jobId: string) {
    this.path = path;
    this.jobId = jobId;
  }

  /** Working directory of a job that names none. */
  get work(): string {
    return join(this.path, 'work');
  }

  get script(): string {
    return join(this.path, 'script');
  }

  /** Lays out all the helper needs. Throws if the folder is there already: such a job ran before. */
  prepare(of: {
    readonly intent: Intent;
    readonly signed: SignedJob;
    readonly content: string;
    readonly stdin: Stdin;
    readonly secretPieces: readonly Buffer[];
    /** Whose process the script will be, if another user's: it may read it, and write in `work`. */
    readonly owner: { readonly uid: number; readonly gid: number } | null;
  }): void {
    mkdirSync(this.path, { mode: 0o700 });
    this.#write('intent', JSON.stringify(of.intent));
    this.#write(
      'job.json',
      JSON.stringify({ job: of.signed.text, signature: of.signed.signature }),
    );
    mkdirSync(this.work, { mode: 0o700 });
    if (of.secretPieces.length > 0) {
      // A copy: the secret may be exchanged while its old value still stands in the output.
      this.#write('mask', JSON.stringify(of.secretPieces.map((each) => each.toString('base64'))));
    }
    writeFileSync(this.script, of.content, { mode: 0o700 });
    if (of.stdin.kind === 'text') this.#write('stdin', of.stdin.text);
    else {
      const from = of.stdin.kind === 'file' ? of.stdin.path : '/dev/null';
      symlinkSync(from, join(this.path, 'stdin'));
    }
    if (of.owner !== null) this.#giveTo(of.owner, of.stdin.kind === 'text');
  }

  /**
   * The folder stays the agent's, or its user could lay links where the agent writes; he passes
   * through it to what is his. Nobody else can read any of it.
   */
  #giveTo(owner: { readonly uid: number; readonly gid: number }, hasStdin: boolean): void {
    for (const name of hasStdin ? ['script', 'work', 'stdin'] : ['script', 'work']) {
      chownSync(join(this.path, name), owner.uid, owner.gid);
    }
    chmodSync(join(this.path, 'script'), 0o500);
    chmodSync(this.path, 0o711);
  }

  /** The intent as it was journalled, or null if it cannot be read: then only the start is known. */
  intent(): Intent | null {
    try {
      const text = readFileSync(join(this.path, 'intent'), 'utf8');
      const parsed = intentBody.safeParse(JSON.parse(text));
      return parsed.success ? parsed.data : null;
    } catch {
      // Damage or a crash before it was written: the folder itself still says "never again".
      return null;
    }
  }

  /** The job's text and signature as they came, or null if they cannot be read. */
  signed(): SignedJob | null {
    try {
      const { job, signature } = signedBody.parse(
        JSON.parse(readFileSync(join(this.path, 'job.json'), 'utf8')),
      );
      return { text: job, signature };
    } catch {
      // Of an older agent, damaged, or removed after its time: then nobody can make the task again from it.
      return null;
    }
  }

  /** The script's exit status as a shell tells it and when it ended, or null while there is none. */
  exit(): { readonly status: number; readonly at: number } | null {
    try {
      const path = join(this.path, 'exit');
      const text = readFileSync(path, 'utf8');
      if (!/^\d{1,3}\n$/.test(text)) return null;
      return { status: Number(text), at: Math.round(statSync(path).mtimeMs) };
    } catch {
      // Not there yet.
      return null;
    }
  }

  /** Whether the helper came as far as to take output, that is, to run the script. */
  hasOutput(): boolean {
    return existsSync(join(this.path, 'stdout'));
  }

  /** The pid that the helper wrote, or null. Only with its command line does it name a process. */
  pid(): number | null {
    try {
      const text = readFileSync(join(this.path, 'pid'), 'utf8').trim();
      return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
    } catch {
      // It was not spawned, or died before it could write.
      return null;
    }
  }

  /** Whether both output files are whole. Never, if the script left a child that holds them open. */
  isOutputWhole(): boolean {
    return streams.every((stream) => existsSync(join(this.path, `${stream}.end`)));
  }

  sizes(): OutputSizes {
    return { stdout: this.#size('stdout'), stderr: this.#size('stderr') };
  }

  /**
   * Fixes the output for good: cut to `sizes`, secrets masked, leftovers removed. May be repeated
   * after a crash in the middle.
   */
  seal(sizes: OutputSizes): void {
    const pieces = this.#secretPieces();
    for (const stream of streams) {
      const path = join(this.path, stream);
      if (!existsSync(path)) continue;
      if (pieces.length > 0) {
        const whole = maskSecrets(readFileSync(path), pieces);
        const kept = whole.subarray(0, sizes[stream]);
        maskBeginning(kept, pieces);
        // By rename: a reader sees all of it masked or none, and a child that still writes is left behind.
        this.#write(`${stream}.sealed`, kept);
        renameSync(`${path}.sealed`, path);
      } else if (statSync(path).size > sizes[stream]) truncateSync(path, sizes[stream]);
    }
    for (const name of ['mask', 'stdin', 'stdout.pipe', 'stderr.pipe']) {
      rmSync(join(this.path, name), { force: true });
    }
    this.#pieces = [];
  }

  /**
   * Up to `bytes` of a stream from `offset`, masked, of the first `size` bytes that count. While
   * the job runs the last few are held back, because they may be the beginning of a secret.
   */
  read(of: {
    readonly stream: OutputStream;
    readonly offset: number;
    readonly bytes: number;
    readonly size: number;
    readonly isSealed: boolean;
  }): Buffer {
    const pieces = of.isSealed ? [] : this.#secretPieces();
    const reach = maskReachBytes(pieces);
    const end = Math.min(of.offset + of.bytes, of.size - reach);
    if (end <= of.offset) return Buffer.alloc(0);
    const from = Math.max(0, of.offset - reach);
    const raw = this.#readRange(of.stream, from, end + reach);
    return maskSecrets(raw, pieces).subarray(of.offset - from, end - from);
  }

  /** Removes the folder and all in it; the job's entry must be stored and past its time. */
  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  #secretPieces(): readonly Buffer[] {
    if (this.#pieces === undefined) {
      const path = join(this.path, 'mask');
      // Written by `prepare`, so the shape is known.
      const coded = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as string[]) : [];
      this.#pieces = coded.map((each) => Buffer.from(each, 'base64'));
    }
    return this.#pieces;
  }

  #size(stream: OutputStream): number {
    return statSync(join(this.path, stream), { throwIfNoEntry: false })?.size ?? 0;
  }

  #readRange(stream: OutputStream, from: number, to: number): Buffer {
    const buffer = Buffer.alloc(to - from);
    const fd = openSync(join(this.path, stream), 'r');
    try {
      return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, from));
    } finally {
      closeSync(fd);
    }
  }

  #write(name: string, content: string | Buffer): void {
    writeFileSync(join(this.path, name), content, { mode: 0o600 });
  }
}
