import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { jobId } from '../contracts/task.ts';
import { FixpointError } from '../domain/errors.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import {
  flaw,
  type Identity,
  readIdentity,
  renewalKey,
  writeRenewalKey,
  writeRenewed,
} from './identity-files.ts';
import { JobFolder } from './job-folder.ts';
import type { ProcessTable } from './process-table.ts';

/**
 * The agent's folder: identity and journal live and die together in it (rule R16), one agent at a
 * time uses it, and no one but its owner can look inside.
 */
export class StateDirectory {
  readonly root: string;
  #identity: Identity;

  private constructor(root: string, identity: Identity) {
    this.root = root;
    this.#identity = identity;
  }

  /**
   * Checks the folder and takes it for this process. Throws `FixpointError` with what is wrong
   * and how to mend it: `invalid_payload` for its content, `forbidden` for its rights,
   * `conflict` if another agent runs on it.
   */
  static open(root: string, processes: ProcessTable): StateDirectory {
    if (!existsSync(root)) {
      throw flaw(root, 'is not there; it is made when the host is enrolled');
    }
    const identity = readIdentity(root);
    const state = new StateDirectory(root, identity);
    if (!existsSync(state.journal)) {
      throw flaw(
        state.journal,
        'is gone: what ran is no longer known, and a job could run twice. Enrol this host as a new agent',
      );
    }
    takeLock(join(root, 'lock'), processes);
    mkdirSync(state.#jobs, { recursive: true, mode: 0o700 });
    return state;
  }

  /** As of the last renewal. */
  get identity(): Identity {
    return this.#identity;
  }

  /** Takes in the certificate that this folder's renewal key was given. */
  renewed(certificate: string, crashAt: CrashPoints<'agent'>): void {
    writeRenewed(this.root, certificate, crashAt);
    this.#identity = readIdentity(this.root);
  }

  /** The key of a renewal that may have been answered, else a new one that is kept from now on. */
  renewalKey(make: () => string): string {
    const pending = renewalKey(this.root);
    if (pending !== null) return pending;
    const key = make();
    writeRenewalKey(this.root, key);
    return key;
  }

  get journal(): string {
    return join(this.root, 'journal');
  }

  /** The signing keys and authorities that this agent trusts. */
  get trust(): string {
    return join(this.root, 'trust.json');
  }

  get #jobs(): string {
    return join(this.root, 'jobs');
  }

  /** The folder of a job, there or not. `id` must have passed its schema. */
  jobFolder(id: string): JobFolder {
    return new JobFolder(join(this.#jobs, id), id);
  }

  /** Folders of all jobs that were ever about to start and are not retired. */
  jobFolders(): JobFolder[] {
    return readdirSync(this.#jobs)
      .filter((name) => jobId.safeParse(name).success)
      .map((name) => this.jobFolder(name));
  }

  /**
   * Lets a job's own user pass through to its folder; names here can then be tried, not listed.
   * What lies beside `jobs` is closed first, because only this folder's own rights closed it so far.
   */
  letThrough(): void {
    if ((statSync(this.root).mode & 0o777) === 0o711) return;
    for (const entry of readdirSync(this.root, { withFileTypes: true })) {
      if (!entry.isFile() && !entry.isDirectory()) continue;
      const path = join(this.root, entry.name);
      chmodSync(path, statSync(path).mode & 0o700);
    }
    for (const path of [this.#jobs, this.root]) chmodSync(path, 0o711);
  }

  /** The local kill switch (names 1). */
  isStopped(): boolean {
    return existsSync(join(this.root, 'stop'));
  }

  /** A secret's bytes, or null if the host has none of that name. `name` must have passed its schema. */
  secret(name: string): Buffer | null {
    try {
      return readFileSync(this.secretPath(name));
    } catch {
      // Missing or unreadable is the same to the job: the host cannot give it.
      return null;
    }
  }

  secretPath(name: string): string {
    return join(this.root, 'secrets', name);
  }

  /** Gives the folder back. */
  close(): void {
    rmSync(join(this.root, 'lock'), { force: true });
  }
}

/** What an agent needs of the place where it lives, beside what its executor does. */
export type AgentState = Pick<
  StateDirectory,
  'identity' | 'isStopped' | 'secret' | 'jobFolder' | 'close'
>;

/**
 * A lock that names its holder by pid and start time, so that one left by a dead agent is taken
 * over and a reused pid does not keep an agent out. `link` makes it appear whole or not at all.
 */
function takeLock(path: string, processes: ProcessTable): void {
  const mine = `${path}.${process.pid}`;
  const me = `${process.pid} ${processes.startTimeOf(process.pid)} ${processes.bootId()}`;
  writeFileSync(mine, me, { mode: 0o600 });
  try {
    for (let tries = 0; tries < 10; tries += 1) {
      if (tryLink(mine, path)) return;
      const holder = textOf(path);
      const [pid = '', startTime, bootId] = holder.split(' ');
      const isAlive =
        bootId === processes.bootId() && processes.startTimeOf(Number(pid)) === startTime;
      if (isAlive) {
        throw new FixpointError('conflict', `another agent runs on this state folder: pid ${pid}`);
      }
      takeAway(path, holder);
    }
    throw new FixpointError('conflict', `${path} cannot be taken: other agents are starting`);
  } finally {
    unlinkSync(mine);
  }
}

/** Removes the lock of `holder`, and no other that took its place since it was read. */
function takeAway(path: string, holder: string): void {
  const aside = `${path}.${process.pid}.old`;
  try {
    renameSync(path, aside);
  } catch {
    return; // Somebody else was quicker.
  }
  if (readFileSync(aside, 'utf8') !== holder) tryLink(aside, path);
  unlinkSync(aside);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // Given back meanwhile.
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}
