import { appendFile, readFile, truncate } from 'node:fs/promises';
import { z } from 'zod';
import { agentId, journalId } from '../contracts/task.ts';
import { FixpointError } from '../domain/errors.ts';

/** One certificate that was issued. Times are Unix milliseconds, `serial` is hex. */
export const issueRecord = z.object({
  agentId,
  name: z.string().min(1).max(253),
  /** `name` (unique), `hostname` and `ip` among them (design 5.2). */
  labels: z.record(z.string(), z.string()),
  journalId,
  serial: z.string(),
  issuedAt: z.int(),
  notAfter: z.int(),
});
export type IssueRecord = z.infer<typeof issueRecord>;

/**
 * Adds a record to the register beside the authority: the truth about who is enrolled (rule X5).
 * Append-only, synced before it resolves, mode 0600. Not for two writers at once.
 */
export async function appendIssue(file: string, record: IssueRecord): Promise<void> {
  const before = await textOf(file);
  // A line torn by a crash would swallow the record that follows it.
  const whole = Buffer.byteLength(before.slice(0, before.lastIndexOf('\n') + 1));
  if (whole < Buffer.byteLength(before)) await truncate(file, whole);
  await appendFile(file, `${JSON.stringify(issueRecord.parse(record))}\n`, {
    mode: 0o600,
    flush: true,
  });
}

/**
 * The newest record of every agent, sorted by name; none if there is no file yet. Throws
 * `inventory_incomplete` if a line cannot be read or two agents have one name: partial never
 * means all (invariant 6). A torn last line, as a crash while appending leaves it, is skipped.
 */
export async function readRegister(file: string): Promise<readonly IssueRecord[]> {
  const lines = (await textOf(file)).split('\n');
  const byAgent = new Map<string, IssueRecord>();
  for (const [at, line] of lines.entries()) {
    // What follows the last line feed is empty, or was being written when its writer died.
    if (at === lines.length - 1 || line === '') continue;
    const record = recordOf(line);
    if (record === null) throw unreadable(file, `line ${at + 1} is no record`);
    byAgent.set(record.agentId, record);
  }
  const names = new Set<string>();
  for (const { name } of byAgent.values()) {
    if (names.has(name)) throw unreadable(file, `two agents are named ${name}`);
    names.add(name);
  }
  return [...byAgent.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
}

const textOf = (file: string): Promise<string> =>
  readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });

function recordOf(line: string): IssueRecord | null {
  try {
    return issueRecord.parse(JSON.parse(line));
  } catch {
    return null; // The caller says which line; its text is of no use to a person.
  }
}

const unreadable = (file: string, what: string): FixpointError =>
  new FixpointError('inventory_incomplete', `the issue register ${file} is damaged: ${what}`, {
    hint: 'restore it from a copy; planning by label is refused until it can be read',
  });
