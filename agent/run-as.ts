import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { findProgram, systemPath } from './job-environment.ts';

/** A user of this host, as its name service tells it. */
export type JobUser = {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
};

/** As whom a job runs here. */
export type UserChoice =
  /** The agent's own user. */
  | { readonly kind: 'own' }
  /** Another one; `prefix` are the words before the interpreter that make the switch. */
  | { readonly kind: 'switch'; readonly user: JobUser; readonly prefix: readonly string[] }
  | {
      readonly kind: 'refused';
      readonly reason: 'no_such_user' | 'local_policy';
      readonly note: string;
    };

export type RunAsDeps = {
  /** Users that jobs may run as, by the host's `agent.yaml`; null if it does not say. */
  readonly allow: readonly string[] | null;
  /** The agent's state directory: what a job's user must be able to pass through. */
  readonly stateDirectory: string;
};

const run = promisify(execFile);
const lookupMs = 2_000;

/**
 * Says as which user a job runs, before anything of it is written down. The host decides: without
 * a list in `agent.yaml` a job may name any user but root; with one, the user of every job must
 * be in it, the agent's own too. Never rejects.
 */
export async function chooseUser(deps: RunAsDeps, runAs: string | undefined): Promise<UserChoice> {
  if (runAs === undefined && deps.allow === null) return { kind: 'own' };
  const own = ownName();
  const name = runAs ?? own;
  if (deps.allow !== null && !deps.allow.includes(name)) {
    return refused('local_policy', `agent.yaml does not let jobs run as ${name}`);
  }
  if (runAs === undefined) return { kind: 'own' };
  const user = await lookUp(runAs);
  if (user === null) return refused('no_such_user', `this host has no user ${runAs}`);
  if (user.uid === 0 && deps.allow === null) {
    return refused('local_policy', 'agent.yaml does not let jobs run as root by name');
  }
  if (user.uid === process.geteuid?.()) return { kind: 'own' };
  if (process.geteuid?.() !== 0) {
    return refused('local_policy', `the agent runs as ${own} and cannot become ${runAs}`);
  }
  return switchTo(user, deps.stateDirectory);
}

function switchTo(user: JobUser, stateDirectory: string): UserChoice {
  const setpriv = findProgram('setpriv', systemPath);
  if (setpriv === null) {
    return refused(
      'local_policy',
      'setpriv (util-linux) is missing: the agent cannot switch users',
    );
  }
  const closed = closedFolder(dirname(stateDirectory), user);
  if (closed !== null) {
    return refused('local_policy', `${user.name} cannot reach the script: ${closed} is closed`);
  }
  const prefix = [
    ...[setpriv, '--reuid', user.name, '--regid', String(user.gid), '--init-groups'],
    ...['--no-new-privs', '--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all', '--'],
  ];
  return { kind: 'switch', user, prefix };
}

/** The first folder from `/` to `path` that the user may not pass through, or null. */
function closedFolder(path: string, user: JobUser): string | null {
  const above = dirname(path);
  const closed = above === path ? null : closedFolder(above, user);
  if (closed !== null) return closed;
  const { mode, uid, gid } = statSync(path);
  const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
  return (mode & bit) === 0 ? path : null;
}

async function lookUp(name: string): Promise<JobUser | null> {
  try {
    const { stdout } = await run('getent', ['passwd', name], {
      env: { PATH: systemPath },
      timeout: lookupMs,
    });
    return userIn(stdout, name);
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return isMissing ? userIn(readFileSync('/etc/passwd', 'utf8'), name) : null;
  }
}

function userIn(passwd: string, name: string): JobUser | null {
  const fields = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find(([found]) => found === name);
  const [, , uid, gid, , home] = fields ?? [];
  if (uid === undefined || gid === undefined) return null;
  return { name, uid: Number(uid), gid: Number(gid), home: home || '/' };
}

function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run us under an id that has no name.
    return String(process.geteuid?.() ?? '');
  }
}

const refused = (reason: 'no_such_user' | 'local_policy', note: string): UserChoice => ({
  kind: 'refused',
  reason,
  note,
});
