import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Places at which a test can kill a program, as a power cut would, with the boundary of persistence
 * each stands at: what is kept by then, and what is not yet done. These are passed by repairs, and
 * by what operators do meanwhile: chaos dies at every one of them.
 */
export const crashPoints = {
  api: {
    'before-append': 'a webhook body was read, nothing of it is kept',
    'after-append': 'every entry is in the intake, the sender was not answered',
    'before-signal': 'a callback was checked, Temporal does not know of it',
    'after-signal': 'Temporal stored a callback, the gateway was not answered',
    'before-update': 'an operator’s wish was read, nothing was done',
    'after-update': 'an operator’s wish was done, the audit log does not say so',
    'after-audit': 'an operator’s wish is in the audit log, nobody was answered',
  },
  dispatcher: {
    'after-read': 'entries were given to this reader, nothing was done with them',
    'before-signal': 'an entry’s mailbox is known, it was not signalled',
    'after-signal': 'a mailbox has the entry, the intake does not know',
    'before-ack': 'an entry’s fate is decided, it was not counted',
    'after-ack': 'an entry’s fate is counted and the entry gone',
  },
  workflows: {
    'before-start': 'a mailbox wants a repair, Temporal has none',
    'after-start': 'Temporal has the repair, the mailbox’s history does not say so',
    'before-tell': 'an alert is over, its running repair was not told',
    'after-tell': 'a running repair was told, the mailbox’s history does not say so',
    'before-admit': 'the hosts of a batch are asked for, none is held',
    'after-admit': 'the hosts of a batch are held, its history does not say so',
  },
  activities: {
    'before-submit': 'a task is due, the gateway does not have it',
    'after-submit': 'the gateway has the task, history does not say so',
    'after-poll': 'the gateway told of a task, history does not have it',
    'after-cancel': 'the gateway has the wish to cancel, history does not say so',
    'before-audit': 'a repair ended, the audit log does not say so',
    'after-audit': 'a repair’s end is in the audit log, its mailbox was not told',
    'after-tell': 'a mailbox was told of the end, the repair’s history does not say so',
    'after-publish': 'gateways may read the kill switch, its history does not say so',
    'before-lock': 'a gateway wishes for a lock on an agent, there is none',
    'after-lock': 'an agent is locked, the wish for it still stands',
  },
  gateway: {
    'before-submit': 'a task was checked, it is not kept',
    'after-submit': 'a task is kept, nothing was sent to an agent',
    'after-mark': 'a job is marked as sent, it was not written to the link',
    'after-dispatch': 'a job was written to the link',
    'after-cancel': 'the wish to cancel a task is kept, no agent was told',
    'before-report': 'an agent’s result arrived, it is not kept',
    'after-report': 'an agent’s result is kept, the agent was not told',
    'after-stored': 'an agent is about to hear that its result is kept',
    'after-settle': 'jobs that ran out of time are ended, their deadline still stands',
    'before-callback': 'a task is over, its callback was not made',
    'after-callback': 'a callback was taken, the outbox still has it',
    'after-done': 'a callback was taken and is out of the outbox',
  },
  agent: {
    'before-intent': 'a job passed every check, the journal does not know it',
    'after-intent': 'the intent is on disk, no process exists',
    'after-folder': 'the job’s folder is laid out, no process exists',
    'after-spawn': 'the helper waits for its word, the start is not in the journal',
    'after-started': 'the start is in the journal, the helper still waits',
    'while-running': 'the script was let go',
    'before-stop': 'a script is to be stopped, the journal does not say so',
    'after-stop': 'the stop is in the journal, nothing was killed',
    'before-finished': 'the script ended and its output is fixed, the journal does not say so',
    'after-finished': 'the outcome is on disk, the gateway was not told',
    'before-result': 'output was sent, the result not',
    'after-result': 'the result was handed to the link',
    'before-stored': 'the gateway says it keeps the result, the journal does not',
    'after-stored': 'the journal says that the gateway keeps the result',
  },
} as const;

/**
 * Those that are passed when a host becomes an agent, its certificate is renewed or a trust bundle is
 * new. Under chaos all this is over before the first death, so a test of their own dies at each.
 */
export const enrolmentCrashPoints = {
  gateway: {
    'after-token': 'a token is in Redis, neither operator nor audit log was told',
    'before-use': 'a request to enrol was checked, its token is not used',
    'after-use': 'a use of a token is taken, the register has no agent for it',
    'after-register': 'an agent is in the register, the audit log does not say so',
    'after-enrolled': 'an agent is in the audit log, its host was not answered',
    'before-return': 'an enrolment came to nothing, the use of its token is still taken',
    'after-return': 'the use of a token was given back, its host was not answered',
    'before-renewal': 'a renewal was checked, the register does not have it',
    'after-renewal': 'a renewal is in the register, its agent was not answered',
  },
  agent: {
    'after-answer': 'a gateway has enrolled the host, nothing of it is on disk',
    'after-certificate': 'the certificate is on disk, nothing else of the identity',
    'after-first-trust': 'all of the identity is on disk but the key',
    'after-key': 'the identity is whole, the agent has not begun',
    'after-renewal-key': 'the key of a renewal is on disk, no gateway has heard of it',
    'before-renewed': 'a gateway has renewed the certificate, the old one is on disk',
    'between-renewed': 'the new certificate is in its place, its key lies beside the old one',
    'after-renewed': 'certificate and key are the new ones, the agent goes by the old ones',
    'before-trust': 'a newer trust bundle lies beside the old one',
    'after-trust': 'a newer trust bundle is in its place, the agent goes by the old one',
  },
} as const;

/** Those that a gateway passes when Redis has lost everything (rule R6). A test of their own, too. */
export const lossCrashPoints = {
  gateway: {
    'before-inventory': 'Redis has no list of the agents, none was written',
    'after-inventory': 'the list of the agents is in Redis again, nobody was told',
    'before-recreate': 'the text of a job came whose task Redis lost, there is no task',
    'after-recreate': 'a lost task was made again from a job, its result has not come again',
  },
} as const;

/** Those that a gateway passes when it makes the issue register shorter. A test of their own, too. */
export const registerCrashPoints = {
  gateway: {
    'before-compaction': 'a shorter issue register lies beside the one that counts',
    'after-compaction': 'a shorter issue register is in its place, no gateway has read it',
  },
} as const;

/** What a crash point is named with: the workers by their roles. */
export type CrashProgram = keyof typeof crashPoints;

type PointOf<Table, Program> = Program extends keyof Table ? keyof Table[Program] : never;

/** Kills this process at `point` if it is the armed one. Unarmed, it costs one call of nothing. */
export type CrashPoints<Program extends CrashProgram> = (
  point:
    | PointOf<typeof crashPoints, Program>
    | PointOf<typeof enrolmentCrashPoints, Program>
    | PointOf<typeof lossCrashPoints, Program>
    | PointOf<typeof registerCrashPoints, Program>,
) => void;

export const noCrashPoints = (): void => {};

/**
 * Why a configuration is no place for crash points, or null. Production is told by what a product
 * under test never has: a peer or a listener beyond this host, or state under `/var/lib`. Addresses
 * are URLs or `host:port`; one that cannot be read counts as beyond.
 */
export function refusalOfCrashPoints(of: {
  readonly addresses: readonly string[];
  readonly stateDirectory: string;
}): string | null {
  const why = 'is for tests on one host alone, not for production:';
  const beyond = of.addresses.find((address) => !isLoopback(address));
  if (beyond !== undefined) return `${why} an address is not loopback`;
  if (!/^\/var\/lib(\/|$)/.test(of.stateDirectory)) return null;
  return `${why} ${of.stateDirectory} is where production keeps its state`;
}

function isLoopback(address: string): boolean {
  const url = URL.parse(/^[a-z]+:\/\//.test(address) ? address : `tcp://${address}`);
  const host = url?.hostname.replace(/^\[(.*)\]$/, '$1') ?? '';
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * Crash points armed by `FIXPOINT_CRASH_POINT`, in one of two ways. `point@marker file`: the first
 * process that reaches the point creates the marker and dies by SIGKILL; later ones find it and go
 * on. A folder: whoever reaches a point for which the folder holds a file `{program}.{point}`
 * takes the file away and dies, so that a test can arm a running product again and again.
 */
export function armedCrashPoints<Program extends CrashProgram>(
  armed: string | undefined,
  program: Program,
): CrashPoints<Program> {
  if (armed === undefined || armed === '') return noCrashPoints;
  const at = armed.indexOf('@');
  const [name, marker] = [armed.slice(0, at), armed.slice(at + 1)];
  return (point) => {
    const mine =
      at < 0 ? taken(armed, `${program}.${String(point)}`) : point === name && created(marker);
    if (mine) process.kill(process.pid, 'SIGKILL');
  };
}

function created(marker: string): boolean {
  try {
    writeFileSync(marker, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    // The marker exists: an earlier process died here already, which is all that was asked for.
    return false;
  }
}

function taken(folder: string, name: string): boolean {
  try {
    renameSync(join(folder, name), join(folder, `${name}.died`));
    return true;
  } catch {
    return false; // Not armed, or another process took it first.
  }
}
