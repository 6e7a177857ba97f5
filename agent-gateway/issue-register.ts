import { type FileHandle, open } from 'node:fs/promises';
import { FixpointError } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';
import { withFileLock } from './file-lock.ts';
import {
  type Agents,
  added,
  lineOf,
  nothing,
  type RegisterRecord,
  type Sum,
  unreadable,
} from './register-records.ts';

type Known = {
  /** Which file was read, so that one put in its place is noticed. */
  readonly id: string;
  readonly sum: Sum;
};

/**
 * The register beside the authority: the truth about who is enrolled (rule X5). An append-only
 * file, one record a line, synced before it counts, mode 0600; several gateways may share it. It
 * is read on from where it was left, because ten thousand agents renew twice a day.
 */
export class IssueRegister {
  readonly #file: string;
  readonly #clock: Clock;
  #known: Known = { id: '', sum: nothing };
  #reading: Promise<void> = Promise.resolve();

  constructor(of: { readonly file: string; readonly clock: Clock }) {
    this.#file = of.file;
    this.#clock = of.clock;
  }

  /** The newest of every enrolled agent, by id, as of the last `read` or `append`. */
  get agents(): Agents {
    return this.#known.sum.agents;
  }

  /** Grows with every change of who is enrolled under which name and labels. */
  get membership(): number {
    return this.#known.sum.membership;
  }

  /**
   * Takes in what was appended since. Throws `inventory_incomplete` if a line cannot be read, two
   * agents have one name, or the file is suddenly gone or empty, and then changes nothing: partial
   * never means all (invariant 6). A torn last line, as a crash while appending leaves it, is
   * skipped.
   */
  read(): Promise<void> {
    // One after the other: a slow one must not put back what a quicker one has moved on.
    const reading = this.#reading.then(() => this.#readOn());
    this.#reading = reading.catch(() => undefined); // Told to whoever asked for it.
    return reading;
  }

  async #readOn(): Promise<void> {
    const file = await openIfThere(this.#file);
    try {
      const found = file === null ? null : await lookAt(file);
      const { id, sum } = this.#known;
      const isSame = found?.id === id && found.size >= sum.bytes;
      if (isSame && found.size === sum.bytes) return;
      const from = isSame ? sum : { ...nothing, membership: sum.membership + 1 };
      const text = file === null ? '' : await textFrom(file, from.bytes);
      const now = await added(this.#file, from, text);
      if (!isSame && sum.agents.size > 0 && now.agents.size === 0) {
        throw unreadable(this.#file, 'it is gone or empty, and had agents before');
      }
      if (found !== null) this.#known = { id: found.id, sum: now };
    } finally {
      await file?.close();
    }
  }

  /**
   * Appends what `decide` answers, having seen every record before it; nothing if it throws. No
   * other writer of the same file comes between, in this process or another. It may also fail when
   * the records are in the file, or when nobody can say: `onMayStand` is called before that.
   */
  async append(
    decide: (agents: Agents) => Promise<readonly RegisterRecord[]>,
    onMayStand: () => void = () => {},
  ): Promise<void> {
    await withFileLock({ path: `${this.#file}.lock`, clock: this.#clock }, async (assertHeld) => {
      await this.read();
      const { sum } = this.#known;
      const text = (await decide(sum.agents)).map(lineOf).join('');
      // What would make the register unreadable is not written.
      await added(this.#file, sum, text);
      await assertHeld();
      const file = await open(this.#file, 'a+', 0o600);
      try {
        await this.#cutTornLine(file, sum);
        await file.appendFile(text).catch((error: unknown) => {
          if (!isFull(error)) onMayStand();
          throw error;
        });
        onMayStand();
        await file.sync();
      } finally {
        await file.close();
      }
      await this.read();
    });
  }

  /**
   * Takes away what follows the last newline: a line torn by a crash would swallow the record after
   * it. Whole lines that were not read are never cut, and nothing is appended to what was not seen.
   */
  async #cutTornLine(file: FileHandle, { bytes }: Sum): Promise<void> {
    if ((await file.stat()).size <= bytes) return;
    if ((await textFrom(file, bytes)).includes('\n')) {
      throw new FixpointError('upstream_unavailable', `${this.#file} has another writer`, {
        hint: 'try again',
      });
    }
    await file.truncate(bytes);
  }
}

async function textFrom(file: FileHandle, start: number): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of file.createReadStream({ start, autoClose: false })) {
    chunks.push(chunk as Buffer); // No encoding was asked for, so they are bytes.
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

async function lookAt(file: FileHandle): Promise<{ readonly id: string; readonly size: number }> {
  const { ino, birthtimeMs, size } = await file.stat();
  return { id: `${ino}/${birthtimeMs}`, size };
}

/** What there was no room for has no end, and the newline at the end is what makes it count. */
const isFull = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'ENOSPC' || error.code === 'EDQUOT' || error.code === 'EFBIG');
