import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, type HostAgentDeps } from '../../agent/agent.ts';
import { removeEmptyCgroups } from '../../agent/cgroup.ts';
import { enrol } from '../../agent/enrolment.ts';
import { readIdentity } from '../../agent/identity-files.ts';
import { JobFolder } from '../../agent/job-folder.ts';
import { type ProcessTable, systemProcesses } from '../../agent/process-table.ts';
import { issueCertificate, type KeyPair } from '../../agent-gateway/certificates.ts';
import type { AgentToken } from '../../contracts/enrolment.ts';
import type { Job } from '../../contracts/task.ts';
import { base32, crockford } from '../../domain/ids.ts';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { noCrashPoints } from '../../platform/crash-point.ts';
import { contentDigestOf } from '../../platform/digest.ts';
import { silentLog } from '../../platform/log.ts';
import { eventually } from './eventually.ts';
import { programEnvironment } from './program-environment.ts';
import { aTrust, testKey } from './signing.ts';

const main = join(import.meta.dirname, '../../agent/main.ts');

/** A state folder as start makes one, and agents that run on it. */
export class AgentHost {
  readonly root: string;
  readonly agentId: string;
  readonly journalId: string;
  /** A file that scripts of the test append to: the host's own evidence. */
  readonly evidence: string;
  readonly #agents: Agent[] = [];
  readonly #children: ChildProcess[] = [];

  private constructor(root: string, agentId: string, journalId: string) {
    this.root = root;
    this.agentId = agentId;
    this.journalId = journalId;
    this.evidence = `${root}.evidence`;
  }

  static async create(authority: KeyPair): Promise<AgentHost> {
    const agentId = crockford(systemClock.randomBytes(8)).slice(0, 12);
    const journalId = crockford(systemClock.randomBytes(17)).slice(0, 26);
    const root = mkdtempSync(join(tmpdir(), 'fixpoint-agent-'));
    const { certificate, key } = await issueCertificate({
      authority,
      subject: { kind: 'agent', agentId, labels: {} },
      clock: systemClock,
    });
    const host = new AgentHost(root, agentId, journalId);
    host.write('identity.key', key);
    host.write('identity.crt', certificate);
    host.write('ca.crt', authority.certificate);
    host.write('journal-id', journalId);
    host.write('trust.json', JSON.stringify(await aTrust()));
    for (const name of ['secrets', 'journal']) mkdirSync(join(root, name), { mode: 0o700 });
    return host;
  }

  /** A host that has nothing yet and becomes an agent by a token, as users make one. */
  static async enrolled(token: AgentToken, clock: Clock = systemClock): Promise<AgentHost> {
    const root = mkdtempSync(join(tmpdir(), 'fixpoint-agent-'));
    await enrol({ token, stateDirectory: root, crashAt: noCrashPoints, clock });
    const { agentId, journalId } = readIdentity(root);
    return new AgentHost(root, agentId, journalId);
  }

  /** Who the agent of this folder is, for one that is put together from its parts. */
  identity() {
    const read = (name: string) => readFileSync(join(this.root, name), 'utf8');
    return {
      agentId: this.agentId,
      journalId: this.journalId,
      key: read('identity.key'),
      certificate: read('identity.crt'),
      authority: read('ca.crt'),
    };
  }

  write(name: string, text: string | Buffer): void {
    writeFileSync(join(this.root, name), text, { mode: 0o600 });
  }

  /** An agent inside the test's own process. */
  async start(gateway: string, over: Partial<HostAgentDeps> = {}): Promise<Agent> {
    const agent = Agent.onHost({
      gateways: [gateway],
      stateDirectory: this.root,
      jobEnvironment: {},
      runAsAllow: null,
      processes: systemProcesses,
      clock: systemClock,
      log: silentLog,
      crashAt: noCrashPoints,
      killGraceMs: 300,
      killWaitMs: 5_000,
      leaseWaitMs: 300,
      resendAfterMs: 200,
      ...over,
    });
    this.#agents.push(agent);
    await agent.start();
    return agent;
  }

  /** An agent as the process that users run. */
  spawn(gateway: string, over: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawn(process.execPath, [main], {
      env: programEnvironment({
        FIXPOINT_AGENT_GATEWAYS: gateway,
        FIXPOINT_AGENT_STATE_DIR: this.root,
        ...over,
      }),
      cwd: this.root,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#children.push(child);
    return child;
  }

  get #jobs(): string {
    return join(this.root, 'jobs');
  }

  /** How often scripts wrote to the evidence file. */
  starts(): number {
    if (!existsSync(this.evidence)) return 0;
    return readFileSync(this.evidence, 'utf8').split('\n').length - 1;
  }

  async remove(): Promise<void> {
    for (const agent of this.#agents) await agent.stop();
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    for (const name of existsSync(this.#jobs) ? readdirSync(this.#jobs) : []) {
      const folder = new JobFolder(join(this.#jobs, name), name);
      const pid = folder.pid();
      // What a test lets run on must not outlive it.
      if (pid !== null && isGroupOf(pid, folder.path)) systemProcesses.signalGroup(pid, 'SIGKILL');
    }
    const home = systemProcesses.cgroupHome();
    await eventually(() => {
      removeEmptyCgroups(home, this.agentId);
      const left =
        home === null ? [] : readdirSync(home).filter((name) => name.includes(this.agentId));
      if (left.length > 0) throw new Error(`live processes of jobs: ${left.join(', ')}`);
    });
    for (const path of [this.root, this.evidence]) rmSync(path, { recursive: true, force: true });
  }

  /** A job for this agent; a new task each time, unless `over` names one. */
  order(content: string, over: Partial<Job> = {}): { job: Job; content: string } {
    const taskId = `t${base32(systemClock.randomBytes(20)).slice(0, 25)}`;
    return {
      content,
      job: {
        version: 1,
        taskId,
        agentId: this.agentId,
        journalId: this.journalId,
        slot: `remediation:test/step-${taskId}.${this.agentId}`,
        attempt: 1,
        action: 'script',
        contentDigest: contentDigestOf(content),
        interpreter: 'sh',
        args: [],
        env: {},
        secretEnv: {},
        stdin: { kind: 'none' },
        cwd: null,
        limits: { timeoutMs: 30_000, outputBytes: 5 * 1024 * 1024 },
        notAfter: Date.now() + 60_000,
        task: { key: `key-${taskId}`, size: 1, position: 0, callback: null },
        keyId: testKey.keyId,
        ...over,
      },
    };
  }
}

/** Whether the group that `pid` led is still a job's: it or its readers name the job's folder. */
const isGroupOf = (pid: number, folder: string): boolean =>
  systemProcesses.hasArgument(pid, folder) ||
  (systemProcesses.startTimeOf(pid) === null && systemProcesses.isGroupAlive(pid));

/** A table of processes on a host that was booted again. */
export const rebooted: ProcessTable = { ...systemProcesses, bootId: () => 'another-boot' };
