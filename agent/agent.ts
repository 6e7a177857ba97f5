import { X509Certificate } from 'node:crypto';
import { type GatewayFrame, protocolVersion } from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import type { FinalJobState } from '../contracts/task.ts';
import { isFinal } from '../domain/job.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import type { AgentHealth } from './agent-metrics.ts';
import { Connection } from './connection.ts';
import { type Executor, type ExecutorEvents, ProcessExecutor } from './executor.ts';
import { JobDesk } from './job-desk.ts';
import { JobJournal, type Journal } from './job-journal.ts';
import type { ProcessTable } from './process-table.ts';
import { Renewal } from './renewal.ts';
import { StartLease } from './start-lease.ts';
import { type AgentState, StateDirectory } from './state-directory.ts';
import { type AgentTrust, TrustStore } from './trust-store.ts';

export type AgentDeps = {
  readonly gateways: readonly string[];
  readonly localAddress?: string | undefined;
  readonly processes: Pick<ProcessTable, 'bootId'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly crashAt: CrashPoints<'agent'>;
  readonly leaseWaitMs: number;
  readonly resendAfterMs: number;
};

/** What an agent that runs processes on a host of its own needs beside. */
export type HostAgentDeps = AgentDeps & {
  readonly stateDirectory: string;
  readonly jobEnvironment: Readonly<Record<string, string>>;
  /** Users that jobs may run as; null if the host does not say. */
  readonly runAsAllow: readonly string[] | null;
  readonly processes: ProcessTable;
  readonly killGraceMs: number;
  /** How long after KILL the end of a job's processes is waited for. */
  readonly killWaitMs: number;
};

/** Where an agent lives, whom it trusts, what it remembers and how it runs jobs. */
export type AgentParts = {
  readonly state: AgentState;
  readonly trust: AgentTrust;
  readonly journal: Journal;
  /** Keeps the identity fresh; none where it is nobody's to keep. */
  readonly renewal?: (gatewayTime: () => number | null) => Renewal;
  /** Made last, because it tells the other parts what becomes of jobs. */
  readonly executor: (events: ExecutorEvents) => Executor;
};

const version = '0.1.0';
const retireEveryMs = 3_600_000;

/** The parts of one agent, put together. */
export class Agent {
  readonly #deps: AgentDeps;
  readonly #state: AgentState;
  readonly #trust: AgentTrust;
  readonly #journal: Journal;
  readonly #lease: StartLease;
  readonly #executor: Executor;
  readonly #desk: JobDesk;
  readonly #connection: Connection;
  readonly #ended = new Map<FinalJobState, number>();
  readonly #renewal: Renewal | undefined;
  #retire: Timer | undefined;

  constructor(deps: AgentDeps, parts: AgentParts) {
    this.#deps = deps;
    this.#state = parts.state;
    this.#trust = parts.trust;
    this.#journal = parts.journal;
    this.#lease = new StartLease(deps.clock);
    this.#renewal = parts.renewal?.(() => this.#lease.gatewayTime());
    this.#executor = parts.executor({
      onOutput: (jobId) => this.#desk.onOutput(jobId),
      onFinished: (jobId) => {
        this.#countEnd(jobId);
        this.#desk.onFinished(jobId);
      },
    });
    this.#desk = new JobDesk({
      ...deps,
      state: this.#state,
      trust: this.#trust,
      journal: this.#journal,
      lease: this.#lease,
      executor: this.#executor,
      bootId: deps.processes.bootId(),
    });
    this.#connection = new Connection({
      ...deps,
      get identity() {
        return parts.state.identity;
      },
      authorities: () => this.#trust.authorities,
      hello: () => ({
        type: 'hello',
        protocol: protocolVersion,
        agentId: this.#state.identity.agentId,
        journalId: this.#state.identity.journalId,
        sequence: this.#journal.sequence,
        version,
        bootId: deps.processes.bootId(),
      }),
      onWelcome: (link, welcome) => {
        this.#lease.begin({
          ...welcome,
          send: (frame) => link.send(frame),
          sequence: () => this.#journal.sequence,
          onSilent: () => this.#connection.drop('the gateway is silent'),
        });
        this.#desk.onOpen(link);
      },
      onFrame: (frame) => this.#onFrame(frame),
      onClose: () => {
        this.#lease.end();
        this.#desk.onClose();
      },
    });
  }

  /**
   * An agent on a state folder, one per folder and process. Takes the folder; throws
   * `FixpointError` if it cannot be used.
   */
  static onHost(deps: HostAgentDeps): Agent {
    const state = StateDirectory.open(deps.stateDirectory, deps.processes);
    const trust = TrustStore.open(state.trust, deps.log, deps.crashAt);
    const journal = JobJournal.open({ ...deps, directory: state.journal });
    const executor = (events: ExecutorEvents) =>
      new ProcessExecutor({ ...deps, ...events, state, journal });
    const renewal = (gatewayTime: () => number | null) =>
      new Renewal({ ...deps, state, gatewayTime, authorities: () => trust.authorities });
    return new Agent(deps, { state, trust, journal, renewal, executor });
  }

  /** Whether it has a session with a gateway. */
  get isConnected(): boolean {
    return this.#connection.isOpen;
  }

  /** How it is now, for its metrics and for `/readyz`. */
  health(): AgentHealth {
    const { clock } = this.#deps;
    const gatewayTime = this.#lease.gatewayTime();
    return {
      isConnected: this.isConnected,
      hasLease: this.#lease.holds(),
      isStopped: this.#lease.isStopped || this.#state.isStopped(),
      jobsRunning: this.#executor.running().length,
      jobsEnded: this.#ended,
      clockAheadMs: gatewayTime === null ? null : clock.now() - gatewayTime,
      certificateLeftMs:
        new X509Certificate(this.#state.identity.certificate).validToDate.getTime() - clock.now(),
    };
  }

  /** Settles what an earlier agent left open, then connects and goes on connecting. */
  async start(): Promise<void> {
    await this.#executor.recover();
    this.#retireOld();
    this.#connection.start();
    this.#renewal?.start();
  }

  /** Leaves running scripts alone: the next agent on this folder attaches to them (rule R11). */
  async stop(): Promise<void> {
    this.#retire?.cancel();
    this.#renewal?.stop();
    await this.#connection.stop();
    this.#executor.close();
    await this.#journal.close();
    this.#state.close();
  }

  #countEnd(jobId: string): void {
    const state = this.#journal.entry(jobId)?.report?.state;
    if (state !== undefined && isFinal(state)) {
      this.#ended.set(state, (this.#ended.get(state) ?? 0) + 1);
    }
  }

  #onFrame(frame: Exclude<GatewayFrame, { type: 'welcome' } | { type: 'bye' }>): void {
    switch (frame.type) {
      case 'pong':
        this.#lease.onPong(frame);
        for (const jobId of frame.stored ?? []) void this.#desk.onStored(jobId);
        break;
      case 'dispatch':
        void this.#desk.onDispatch(frame);
        break;
      case 'cancel':
        this.#desk.onCancel(frame);
        break;
      case 'resync':
        this.#desk.onResync(frame.jobId);
        break;
      case 'stored':
        void this.#desk.onStored(frame.jobId);
        break;
      case 'trust':
        this.#trust.take(frame.bundle);
        break;
      case 'output-get':
        this.#desk.onOutputGet(frame);
        break;
    }
  }

  #retireOld(): void {
    try {
      this.#journal.retire(limits.journalKeptMs, (jobId) => this.#state.jobFolder(jobId).remove());
    } catch (error) {
      this.#deps.log.error({ error }, 'old journal files cannot be removed');
    }
    this.#executor.tidy();
    this.#retire = this.#deps.clock.after(retireEveryMs, () => this.#retireOld());
  }
}
