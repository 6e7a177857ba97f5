import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { invariant } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import { withFileLock } from './file-lock.ts';
import { idOf, openIfThere, otherWriter, replaceBeginning, textFrom } from './register-file.ts';
import {
  type Agents,
  added,
  isSameFleet,
  lineOf,
  nothing,
  type RegisterRecord,
  type Sum,
  unreadable,
  withoutSuperseded,
} from './register-records.ts';

type Known = {
  /** Which file was read, so that one put in its place is noticed. */
  readonly id: string;
  readonly sum: Sum;
};

/** What became of a try to make the register shorter. */
export type Compaction = 'compacted' | 'left' | 'overtaken';

/**
 * The register beside the authority: the truth about who is enrolled (rule X5). A file that is
 * appended to, one record a line, synced before it counts, mode 0600; several gateways may share it.
 * It is read on from where it was left, because ten thousand agents renew twice a day. What they
 * renewed goes out again when nothing can be done with it any more; nothing else ever does.
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

  /** Of it, as of the last `read` or `append`; a torn last line is not counted. */
  get bytes(): number {
    return this.#known.sum.bytes;
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
      const found = (await file?.stat()) ?? null;
      const { id, sum } = this.#known;
      const isSame = found !== null && idOf(found) === id && found.size >= sum.bytes;
      if (isSame && found.size === sum.bytes) return;
      const from = isSame ? sum : { ...nothing, membership: sum.membership + 1 };
      const text = file === null ? '' : await textFrom(file, from.bytes);
      const now = await added(this.#file, from, text);
      if (!isSame && sum.agents.size > 0 && now.agents.size === 0) {
        throw unreadable(this.#file, 'it is gone or empty, and had agents before');
      }
      if (found !== null) this.#known = { id: idOf(found), sum: now };
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
    await this.#alone(async (assertHeld) => {
      await this.read();
      const seen = this.#known;
      const { sum } = seen;
      const text = (await decide(sum.agents)).map(lineOf).join('');
      // What would make the register unreadable is not written.
      await added(this.#file, sum, text);
      await assertHeld();
      const file = await open(this.#file, 'a+', 0o600);
      try {
        await this.#requireSeen(file, seen);
        await file.appendFile(text).catch((error: unknown) => {
          if (!isFull(error)) onMayStand();
          throw error;
        });
        onMayStand();
        await file.sync();
        // Held up for longer than a lock lives, it may have written into what is there no more.
        if (idOf(await stat(this.#file)) !== idOf(await file.stat())) throw otherWriter(this.#file);
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
  async #requireSeen(file: FileHandle, { id, sum: { bytes } }: Known): Promise<void> {
    const found = await file.stat();
    if (id !== '' && idOf(found) !== id) throw otherWriter(this.#file);
    if (found.size <= bytes) return;
    if ((await textFrom(file, bytes)).includes('\n')) throw otherWriter(this.#file);
    await file.truncate(bytes);
  }

  /**
   * Puts one in its place that lacks what `withoutSuperseded` leaves out, unless more than half would
   * stay. It is there whole or not at all, adds up to the same agents, and has all that others
   * append meanwhile; who had read the long one notices by the file. `overtaken`: somebody else put
   * another file there first. Throws as `append` does.
   */
  async compact(of: {
    /** Unix milliseconds. */
    readonly now: number;
    readonly crash: CrashPoints<'gateway'>;
  }): Promise<Compaction> {
    await this.read();
    const seen = this.#known;
    const shorter = await this.#shortened(seen, of.now);
    if (shorter === 'left' || shorter === 'overtaken') return shorter;
    const isReplaced = await this.#alone(async (assertHeld) => {
      // Beside the file itself, also where a link leads to it.
      const path = await realpath(this.#file);
      const word = Buffer.from(this.#clock.randomBytes(8)).toString('hex');
      const { id, sum } = seen;
      const beforeSwap = async () => {
        of.crash('before-compaction');
        await assertHeld();
      };
      const place = { path, seen: { id, bytes: sum.bytes } };
      return replaceBeginning({ ...place, text: shorter.text, word, beforeSwap });
    });
    if (isReplaced) of.crash('after-compaction');
    await this.read();
    return isReplaced ? 'compacted' : 'overtaken';
  }

  #alone<T>(work: (assertHeld: () => Promise<void>) => Promise<T>): Promise<T> {
    return withFileLock({ path: `${this.#file}.lock`, clock: this.#clock }, work);
  }

  /** Made without the lock: what was seen of the file does not change any more. */
  async #shortened(
    { id, sum }: Known,
    now: number,
  ): Promise<{ readonly text: string } | Exclude<Compaction, 'compacted'>> {
    // One line of each agent stays at least, and it is the longest.
    if (sum.lines < 2 * sum.agents.size) return 'left';
    const file = await openIfThere(this.#file);
    try {
      if (file === null || sum.bytes === 0) return 'left';
      if (idOf(await file.stat()) !== id) return 'overtaken';
      const shorter = await withoutSuperseded(await textFrom(file, 0, sum.bytes), now);
      if (2 * Buffer.byteLength(shorter) > sum.bytes) return 'left';
      const { agents } = await added(this.#file, nothing, shorter);
      invariant(await isSameFleet(agents, sum.agents), 'a shorter register has other agents');
      return { text: shorter };
    } finally {
      await file?.close();
    }
  }
}

/** What there was no room for has no end, and the newline at the end is what makes it count. */
const isFull = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'ENOSPC' || error.code === 'EDQUOT' || error.code === 'EFBIG');
