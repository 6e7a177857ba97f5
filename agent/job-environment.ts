import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Job } from '../contracts/task.ts';
import type { JobUser } from './run-as.ts';

/** Where the system's own commands are; `jobEnvironment` of the agent's file may say otherwise. */
export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A job's secrets on this host: bytes by name. */
export type Secrets = ReadonlyMap<string, Buffer>;

/** Names of all secrets that the job asks for. */
export function secretNamesOf(job: Job): string[] {
  const names = Object.values(job.secretEnv);
  return [...new Set(job.stdin.kind === 'secret' ? [...names, job.stdin.secret] : names)];
}

/**
 * The whole environment of a script: nothing of the agent's own. Host-owned values first, the
 * job's over them, secrets over both; the names that say which job it is cannot be taken.
 */
export function environmentOf(of: {
  readonly job: Job;
  readonly jobId: string;
  readonly hostOwned: Readonly<Record<string, string>>;
  readonly secrets: Secrets;
  /** Whom the script runs as, if not the agent's own user. */
  readonly user: JobUser | null;
}): Record<string, string> {
  const secretValues = Object.entries(of.job.secretEnv).map(([variable, name]) => [
    variable,
    (of.secrets.get(name)?.toString('utf8') ?? '').replace(/[\r\n]+$/, ''),
  ]);
  return {
    PATH: systemPath,
    HOME: of.user?.home ?? homedir(),
    ...(of.user === null ? {} : { USER: of.user.name, LOGNAME: of.user.name }),
    LANG: 'C.UTF-8',
    ...of.hostOwned,
    ...of.job.env,
    ...Object.fromEntries(secretValues),
    FIXPOINT_JOB_ID: of.jobId,
    FIXPOINT_AGENT_ID: of.job.agentId,
    FIXPOINT_ATTEMPT: String(of.job.attempt),
  };
}

/** The absolute path of a program as a shell would find it, or null. */
export function findProgram(name: string, path: string): string | null {
  for (const folder of path.split(':')) {
    const candidate = join(folder, name);
    try {
      accessSync(candidate, constants.X_OK);
      if (folder.startsWith('/') && statSync(candidate).isFile()) return candidate;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}
