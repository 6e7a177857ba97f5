import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { agentId, journalId } from '../contracts/task.ts';
import { FixpointError } from '../domain/errors.ts';

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
/** By id. */
export type Agents = ReadonlyMap<string, RegisteredAgent>;

/** What the first bytes of a register add up to. */
export type Sum = {
  readonly agents: Agents;
  readonly bytes: number;
  readonly lines: number;
  /** Changes with who is enrolled, not with renewals. */
  readonly membership: number;
};
// Some 20 µs a line: forty thousand at once would hold up every agent's ping.
const restEvery = 250;

/** The sum of an empty register. */
export const nothing: Sum = { agents: new Map(), bytes: 0, lines: 0, membership: 0 };

/** A record as its line. Throws if it is none. */
export const lineOf = (of: RegisterRecord): string => `${JSON.stringify(record.parse(of))}\n`;

/** Sorted by name. */
export const byName = (agents: Agents): readonly RegisteredAgent[] =>
  [...agents.values()].sort((left, right) => (left.name < right.name ? -1 : 1));

/**
 * The sum with what follows in `text`; a torn last line is left out. Throws `inventory_incomplete`,
 * naming `file`, if a line cannot be read or two agents have one name. Lets others work in between.
 */
export async function added(file: string, from: Sum, text: string): Promise<Sum> {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const agents = new Map(from.agents);
  let { lines, membership } = from;
  for (const line of whole.split('\n').slice(0, -1)) {
    lines += 1;
    if (lines % restEvery === 0) await setImmediate();
    if (line === '') continue;
    const read = recordOf(line);
    if (read === null) throw unreadable(file, `line ${lines} is no record`);
    if (read.kind !== 'renewal') membership += 1;
    apply(agents, read);
  }
  if (membership !== from.membership) requireUniqueNames(file, agents);
  return { agents, lines, membership, bytes: from.bytes + Buffer.byteLength(whole) };
}

/**
 * A register without the renewals that a later one of the same agent followed and whose certificates
 * had run out at `now`, Unix milliseconds; it adds up to the same agents. Every other line stays as it
 * is and where it is: who was enrolled, revoked, with what labels and journal, and whatever opens a
 * session. `text` is whole lines. Lets others work in between.
 */
export async function withoutSuperseded(text: string, now: number): Promise<string> {
  const followed = new Set<string>();
  const kept: string[] = [];
  for (const [at, line] of text.split('\n').reverse().entries()) {
    if (at % restEvery === 0) await setImmediate();
    const read = recordOf(line);
    if (read?.kind === 'renewal') {
      if (followed.has(read.agentId) && read.notAfter < now) continue;
      followed.add(read.agentId);
    }
    kept.push(line);
  }
  return kept.reverse().join('\n');
}

/** Whether two sums are of the same agents, with everything that is known of each. */
export async function isSameFleet(left: Agents, right: Agents): Promise<boolean> {
  let count = 0;
  for (const [id, agent] of left) {
    count += 1;
    if (count % restEvery === 0) await setImmediate();
    if (!isDeepStrictEqual(agent, right.get(id))) return false;
  }
  return count === right.size;
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

function recordOf(line: string): z.output<typeof record> | null {
  try {
    return record.parse(JSON.parse(line));
  } catch {
    return null; // The caller says which line; its text is of no use to a person.
  }
}

/** A register that cannot be trusted to be whole. */
export const unreadable = (file: string, what: string): FixpointError =>
  new FixpointError('inventory_incomplete', `the issue register ${file} is damaged: ${what}`, {
    hint: 'restore it from a copy; planning by label is refused until it can be read',
  });
