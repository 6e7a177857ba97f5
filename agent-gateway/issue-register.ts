import { open, readFile, stat, truncate } from 'node:fs/promises';
import { z } from 'zod';
import { agentId, journalId } from '../contracts/task.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';
import { withFileLock } from './file-lock.ts';

/** Of every certificate. Times are Unix milliseconds, `serial` is hex. */
const issued = {
  agentId,
  serial: z.string(),
  issuedAt: z.int(),
  notAfter: z.int(),
  /** Counts an agent's renewals; the certificate says it too, so that a copy of it is found out. */
  generation: z.int().min(0).default(0),
  /** SHA-256 of the agent's public key (SPKI), hex; absent where the key was made for the agent. */
  keyDigest: z.string().optional(),
  /** Which authority signed: SHA-256 of its certificate, hex; absent in records from before. */
  authority: z.string().optional(),
};

/** An agent that was enrolled, with its first certificate. */
export const issueRecord = z.object({
  kind: z.literal('issue').default('issue'),
  ...issued,
  name: z.string().min(1).max(253),
  /** `name` (unique), `hostname` and `ip` among them (design 5.2). */
  labels: z.record(z.string(), z.string()),
  journalId,
});
export type IssueRecord = z.input<typeof issueRecord>;

const renewalRecord = z.object({ kind: z.literal('renewal'), ...issued });
/** The agent is enrolled no more; its name may be given again. */
const revocationRecord = z.object({
  kind: z.literal('revocation'),
  agentId,
  at: z.int(),
  reason: z.string(),
});
const record = z.union([renewalRecord, revocationRecord, issueRecord]);
/** One line of the register. */
export type RegisterRecord = z.input<typeof record>;

/** An agent as its records add up: who it is, and its newest certificate. */
export type RegisteredAgent = z.output<typeof issueRecord>;
type Agents = ReadonlyMap<string, RegisteredAgent>;

type Known = {
  readonly agents: Agents;
  /** Which file was read, so that one put in its place is noticed. */
  readonly file: string;
  readonly bytes: number;
  readonly lines: number;
  /** Changes with who is enrolled, not with renewals. */
  readonly membership: number;
};
const nothing: Known = { agents: new Map(), file: '', bytes: 0, lines: 0, membership: 0 };

/**
 * The register beside the authority: the truth about who is enrolled (rule X5). An append-only
 * file, one record a line, synced before it counts, mode 0600; several gateways may share it. It
 * is read on from where it was left, because ten thousand agents renew twice a day.
 */
export class IssueRegister {
  readonly #file: string;
  readonly #clock: Clock;
  #known: Known = nothing;

  constructor(of: { readonly file: string; readonly clock: Clock }) {
    this.#file = of.file;
    this.#clock = of.clock;
  }

  /** The newest of every enrolled agent, by id, as of the last `read` or `append`. */
  get agents(): Agents {
    return this.#known.agents;
  }

  /** Grows with every change of who is enrolled under which name and labels. */
  get membership(): number {
    return this.#known.membership;
  }

  /**
   * Takes in what was appended since. Throws `inventory_incomplete` if a line cannot be read, two
   * agents have one name, or the file is suddenly gone or empty, and then changes nothing: partial
   * never means all (invariant 6). A torn last line, as a crash while appending leaves it, is
   * skipped.
   */
  async read(): Promise<void> {
    const found = await statOf(this.#file);
    const isSame = found?.id === this.#known.file && found.size >= this.#known.bytes;
    if (isSame && found.size === this.#known.bytes) return;
    const { agents, membership } = this.#known;
    const from = isSame ? this.#known : { ...nothing, membership: membership + 1 };
    const text = found === null ? '' : await textFrom(this.#file, from.bytes);
    const known = added(this.#file, from, text);
    if (!isSame && agents.size > 0 && known.agents.size === 0) {
      throw unreadable(this.#file, 'it is gone or empty, and had agents before');
    }
    if (found !== null) this.#known = { ...known, file: found.id };
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
      const records = await decide(this.#known.agents);
      const text = records.map((each) => `${JSON.stringify(record.parse(each))}\n`).join('');
      // What would make the register unreadable is not written.
      added(this.#file, this.#known, text);
      await assertHeld();
      const file = await open(this.#file, 'a', 0o600);
      try {
        await this.#cutTornLine((await file.stat()).size);
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
  async #cutTornLine(size: number): Promise<void> {
    const { bytes } = this.#known;
    if (size <= bytes) return;
    if ((await textFrom(this.#file, bytes)).includes('\n')) {
      throw new FixpointError('upstream_unavailable', `${this.#file} has another writer`, {
        hint: 'try again',
      });
    }
    await truncate(this.#file, bytes);
  }
}

/** Sorted by name. */
export const byName = (agents: Agents): readonly RegisteredAgent[] =>
  [...agents.values()].sort((left, right) => (left.name < right.name ? -1 : 1));

function added(file: string, from: Known, text: string): Known {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const agents = new Map(from.agents);
  let { lines, membership } = from;
  for (const line of whole.split('\n').slice(0, -1)) {
    lines += 1;
    if (line === '') continue;
    const read = recordOf(line);
    if (read === null) throw unreadable(file, `line ${lines} is no record`);
    if (read.kind !== 'renewal') membership += 1;
    apply(agents, read);
  }
  if (membership !== from.membership) requireUniqueNames(file, agents);
  return { ...from, agents, lines, membership, bytes: from.bytes + Buffer.byteLength(whole) };
}

function apply(agents: Map<string, RegisteredAgent>, read: z.output<typeof record>): void {
  if (read.kind === 'issue') agents.set(read.agentId, read);
  if (read.kind === 'revocation') agents.delete(read.agentId);
  if (read.kind !== 'renewal') return;
  const before = agents.get(read.agentId);
  // A renewal of an agent that was revoked meanwhile changes nothing.
  if (before !== undefined) agents.set(read.agentId, { ...before, ...read, kind: 'issue' });
}

function requireUniqueNames(file: string, agents: Agents): void {
  const names = new Set<string>();
  for (const { name } of agents.values()) {
    if (names.has(name)) throw unreadable(file, `two agents are named ${name}`);
    names.add(name);
  }
}

async function textFrom(file: string, bytes: number): Promise<string> {
  if (bytes === 0) return readFile(file, 'utf8');
  const handle = await open(file, 'r');
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of handle.createReadStream({ start: bytes, autoClose: false })) {
      chunks.push(chunk as Buffer); // No encoding was asked for, so they are bytes.
    }
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    await handle.close();
  }
}

async function statOf(file: string): Promise<{ id: string; size: number } | null> {
  try {
    const { ino, birthtimeMs, size } = await stat(file);
    return { id: `${ino}/${birthtimeMs}`, size };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** What there was no room for has no end, and the newline at the end is what makes it count. */
const isFull = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'ENOSPC' || error.code === 'EDQUOT' || error.code === 'EFBIG');

function recordOf(line: string): z.output<typeof record> | null {
  try {
    return record.parse(JSON.parse(line));
  } catch {
    return null; // The caller says which line; its text is of no use to a person.
  }
}

const unreadable = (file: string, what: string): FixpointError =>
  new FixpointError('inventory_incomplete', `the issue register ${file} is damaged: ${what}`, {
    hint: 'restore it from a copy; planning by label is refused until it can be read',
  });
