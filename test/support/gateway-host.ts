import assert from 'node:assert/strict';
import { appendFile, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { signedTask } from '../../activities/task-signer.ts';
import {
  createAuthority,
  issueCertificate,
  type KeyPair,
} from '../../agent-gateway/certificates.ts';
import { IssueRegister } from '../../agent-gateway/issue-register.ts';
import type { IssueRecord } from '../../agent-gateway/register-records.ts';
import { type Gateway, startGateway } from '../../agent-gateway/server.ts';
import type { LockedAgent } from '../../contracts/control.ts';
import { type Clocks, defaultClocks } from '../../contracts/limits.ts';
import type { StandingStop, StopScope } from '../../contracts/stop.ts';
import type { TaskReport, TaskSubmit } from '../../contracts/task.ts';
import type { TrustEnvelope } from '../../contracts/trust.ts';
import { agentIdFrom, journalIdFrom } from '../../domain/ids.ts';
import { AuditLog } from '../../platform/audit.ts';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { noCrashPoints } from '../../platform/crash-point.ts';
import { silentLog } from '../../platform/log.ts';
import { Metrics } from '../../platform/metrics.ts';
import { connectRedis } from '../../redis/connect.ts';
import { controlCache } from '../../redis/control-cache.ts';
import type { AgentHost } from './agent-host.ts';
import { eventually } from './eventually.ts';
import { type AgentCredentials, FakeAgent } from './fake-agent.ts';
import { freePort } from './free-port.ts';
import { type RedisServer, startRedis } from './redis-server.ts';
import { aTrust, testSigner } from './signing.ts';

export const callbackSecret = `whsec_${Buffer.from('a secret of the tests only').toString('base64')}`;
const token = 'a-token-of-the-tests-only';

export type Answer = { readonly status: number; readonly body: unknown; readonly headers: Headers };

type Running = { readonly gateway: Gateway; readonly connections: readonly Redis[] };

/** Real gateways, one by default, on a real Redis of their own, with enrolled agents, for tests to break. */
export class GatewayHost {
  readonly redisServer: RedisServer;
  /** A connection of the test's own. */
  readonly redis: Redis;
  readonly authority: KeyPair;
  readonly agents: AgentCredentials[] = [];
  /** Certificates, issue register and audit log. */
  readonly directory: string;
  readonly #clocks: Clocks;
  /** Of the gateways; tests live by the machine's. */
  readonly #clock: Clock;
  /** The gateway that is meant where none is named. */
  readonly #first: string;
  readonly #gateways = new Map<string, Running>();
  /** By gateway, kept after it stopped: agents keep the address of their gateway. */
  readonly #agentPorts = new Map<string, number>();
  #revision = 0;
  #locked: readonly LockedAgent[] = [];

  private constructor(of: {
    readonly redisServer: RedisServer;
    readonly authority: KeyPair;
    readonly directory: string;
    readonly clocks: Clocks;
    readonly clock: Clock;
    readonly first?: string;
  }) {
    this.#first = of.first ?? 'gateway-1';
    this.redisServer = of.redisServer;
    this.redis = connectRedis({
      ...{ url: of.redisServer.url, profile: 'background', onError: () => {} },
    });
    this.authority = of.authority;
    this.directory = of.directory;
    this.#clocks = of.clocks;
    this.#clock = of.clock;
  }

  static async start(
    of: {
      readonly agents?: number;
      readonly clocks?: Partial<Clocks>;
      readonly clock?: Clock;
    } = {},
  ): Promise<GatewayHost> {
    const [redisServer, authority, directory] = await Promise.all([
      startRedis(),
      createAuthority(systemClock),
      mkdtemp(join(tmpdir(), 'fixpoint-gateway-')),
    ]);
    const own = await issueCertificate({
      ...{ authority, subject: { kind: 'gateway' }, clock: systemClock },
    });
    const files = {
      ...{ 'ca.crt': authority.certificate, 'ca.key': authority.key },
      ...{ 'gateway.crt': own.certificate, 'gateway.key': own.key },
      'trust.json': JSON.stringify(await aTrust({ authorities: [authority.certificate] })),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    const clocks = { ...defaultClocks, ...of.clocks };
    const { clock = systemClock } = of;
    const host = new GatewayHost({ redisServer, authority, directory, clocks, clock });
    for (let number = 1; number <= (of.agents ?? 1); number += 1) await host.enrol(number);
    await host.allow();
    await host.startGateway();
    return host;
  }

  /** A second gateway on the same Redis, register and authority. Ended by its own `stopGateway`. */
  async beside(gatewayId: string): Promise<GatewayHost> {
    const { redisServer, authority } = this;
    const host = new GatewayHost({
      ...{ redisServer, authority, directory: this.directory, clocks: this.#clocks },
      ...{ clock: this.#clock, first: gatewayId },
    });
    host.redis.disconnect();
    await host.startGateway(gatewayId);
    return host;
  }

  async enrol(number: number): Promise<AgentCredentials> {
    const agentId = agentIdFrom(systemClock.randomBytes(8));
    const journalId = journalIdFrom(systemClock.randomBytes(17));
    const name = `agent-${number}`;
    const labels = { name, hostname: name, ip: '127.0.0.1', zone: 'a' };
    const issued = await issueCertificate({
      ...{ authority: this.authority, subject: { kind: 'agent', agentId, labels } },
      clock: systemClock,
    });
    const { serial, notAfter, certificate, key } = issued;
    await this.register({ agentId, name, labels, journalId, serial, notAfter });
    const agent = { agentId, journalId, ca: this.authority.certificate, certificate, key };
    this.agents.push(agent);
    return agent;
  }

  /** Writes an agent into the register that a test made by other means. */
  register(of: Omit<IssueRecord, 'issuedAt'>): Promise<void> {
    const issuedAt = systemClock.now();
    const file = join(this.directory, 'issued.jsonl');
    const register = new IssueRegister({ file, clock: systemClock });
    return register.append(async () => [{ ...of, issuedAt }]);
  }

  /** Writes the trust bundle that the gateway hands on. */
  trust(bundle: TrustEnvelope): Promise<void> {
    return writeFile(join(this.directory, 'trust.json'), JSON.stringify(bundle));
  }

  /** The same for many, in one write; before any of them connects. */
  async registerAll(records: readonly IssueRecord[]): Promise<void> {
    const lines = records.map((record) => `${JSON.stringify(record)}\n`);
    await appendFile(join(this.directory, 'issued.jsonl'), lines.join(''));
  }

  /** The files that a gateway in a process of its own reads. */
  async writeCertificates(directory: string): Promise<void> {
    const names = ['ca.crt', 'ca.key', 'gateway.crt', 'gateway.key', 'issued.jsonl'];
    for (const name of names) await copyFile(join(this.directory, name), join(directory, name));
  }

  get agentPort(): number {
    return this.agentPortOf(this.#first);
  }

  agentPortOf(gatewayId: string): number {
    return this.#running(gatewayId).agentPort;
  }

  get url(): string {
    return this.urlOf(this.#first);
  }

  urlOf(gatewayId: string): string {
    return `http://127.0.0.1:${this.#running(gatewayId).httpPort}`;
  }

  readiness(gatewayId: string): Gateway['readiness'] {
    return this.#running(gatewayId).readiness;
  }

  #running(gatewayId: string): Gateway {
    const running = this.#gateways.get(gatewayId);
    if (running === undefined) throw new Error(`${gatewayId} is stopped`);
    return running.gateway;
  }

  /** Enrols a real agent under a name, starts it and awaits that it has a link. */
  async admit(agent: AgentHost, name: string): Promise<void> {
    const { agentId, journalId } = agent;
    const notAfter = systemClock.now() + 3_600_000;
    await this.register({ agentId, name, labels: {}, journalId, serial: '1', notAfter });
    await agent.start(`wss://127.0.0.1:${this.agentPort}`);
    await eventually(async () => {
      const { status, body } = await this.call({ path: `/v1/agents/${name}` });
      const { state } = body as { state?: string };
      if (status !== 200 || state !== 'online') throw new Error(`${name} is ${state ?? status}`);
    });
  }

  agent(number: number): AgentCredentials {
    const agent = this.agents[number - 1];
    if (agent === undefined) throw new Error(`there is no agent ${number}`);
    return agent;
  }

  connect(number: number, gatewayId = this.#first, protocol?: number): Promise<FakeAgent> {
    return FakeAgent.connect(this.agentPortOf(gatewayId), this.agent(number), protocol);
  }

  /** A link in a protocol of before. */
  connectAs(protocol: number, number: number): Promise<FakeAgent> {
    return FakeAgent.connect(this.agentPort, this.agent(number), protocol);
  }

  async startGateway(gatewayId = this.#first, clocks: Partial<Clocks> = {}): Promise<void> {
    const connect = (profile: 'request' | 'background' | 'blocking') =>
      connectRedis({ url: this.redisServer.url, profile, onError: () => {} });
    const redis = {
      request: connect('request'),
      background: connect('background'),
      blocking: connect('blocking'),
      subscriber: connect('blocking'),
    };
    const port = await freePort();
    const agentPort = this.#agentPorts.get(gatewayId) ?? (await freePort());
    const gateway = await startGateway({
      redis,
      gatewayId,
      url: `http://127.0.0.1:${port}`,
      agents: { host: '127.0.0.1', port: agentPort },
      http: { host: '127.0.0.1', port },
      agentGateways: [],
      certificatesDir: this.directory,
      audit: new AuditLog({
        ...{ directory: join(this.directory, 'audit'), writer: `gateway-${gatewayId}` },
        clock: systemClock,
      }),
      tokens: [token],
      readTokens: [],
      operators: [{ name: 'operator', token }],
      callbackSecret,
      egressAllow: ['127.0.0.1'],
      clocks: { ...this.#clocks, ...clocks },
      metrics: new Metrics(),
      crash: noCrashPoints,
      clock: this.#clock,
      log: silentLog,
    });
    this.#gateways.set(gatewayId, { gateway, connections: Object.values(redis) });
    this.#agentPorts.set(gatewayId, agentPort);
    await this.isReady(gatewayId);
  }

  async isReady(gatewayId = this.#first): Promise<void> {
    await eventually(async () => {
      const answer = await fetch(`${this.urlOf(gatewayId)}/readyz`);
      if (!answer.ok) throw new Error(await answer.text());
    });
  }

  async stopGateway(gatewayId = this.#first): Promise<void> {
    const running = this.#gateways.get(gatewayId);
    await running?.gateway.stop();
    this.#gateways.delete(gatewayId);
    for (const connection of running?.connections ?? []) connection.disconnect();
  }

  async stop(): Promise<void> {
    for (const gatewayId of this.#gateways.keys()) await this.stopGateway(gatewayId);
    this.redis.disconnect();
    await this.redisServer.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Resolves once a gateway has looked at all open tasks from here on; of one gateway. */
  async looked(): Promise<void> {
    await this.redis.config('RESETSTAT');
    const looks = /cmdstat_zrevrange:calls=(\d+)/;
    await eventually(async () => {
      const [, calls] = looks.exec(await this.redis.info('commandstats')) ?? [];
      // One may have begun before.
      assert.ok(Number(calls) >= 2, `${calls} looks`);
    });
  }

  allow(): Promise<void> {
    return this.#writeControl(false);
  }

  stopAll(): Promise<void> {
    return this.#writeControl(true);
  }

  /** Locks these agents and no others, as the control workflow would. */
  lock(...agentIds: readonly string[]): Promise<void> {
    this.#locked = agentIds.map((agentId) => ({ agentId, reason: 'test', by: 'test', at: 1 }));
    return this.allow();
  }

  /** Stops these policies and domains and nothing else, as the control workflow would. */
  stopOnly(...scopes: readonly StopScope[]): Promise<void> {
    return this.#writeControl(
      false,
      scopes.map((scope) => ({ scope, reason: 'test', by: 'test', at: 1 })),
    );
  }

  async #writeControl(stopped: boolean, stops: readonly StandingStop[] = []): Promise<void> {
    this.#revision += 1;
    const state = { revision: this.#revision, stopped, reason: '', by: 'test', at: 0 };
    await controlCache(this.redis).write({ ...state, locked: this.#locked, stops });
  }

  async call(of: {
    readonly path: string;
    readonly method?: string;
    readonly body?: unknown;
    readonly headers?: Record<string, string>;
    readonly gatewayId?: string;
  }): Promise<Answer> {
    const response = await fetch(`${this.urlOf(of.gatewayId ?? this.#first)}${of.path}`, {
      method: of.method ?? (of.body === undefined ? 'GET' : 'POST'),
      headers: {
        authorization: `Bearer ${token}`,
        ...(of.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...of.headers,
      },
      ...(of.body === undefined ? {} : { body: JSON.stringify(of.body) }),
    });
    const text = await response.text();
    return { status: response.status, body: JSON.parse(text), headers: response.headers };
  }

  submit(key: string, task: unknown, gatewayId = this.#first): Promise<Answer> {
    const headers = { 'idempotency-key': key };
    return this.call({ path: '/v1/tasks', body: task, headers, gatewayId });
  }

  /** As a worker does it: real agents run nothing else. */
  async submitSigned(key: string, task: TaskSubmit): Promise<Answer> {
    return this.submit(key, await signedTask(testSigner, { key, task }));
  }

  /** As a worker does whose poll was answered that the task is not known. */
  async submitAgain(key: string, task: TaskSubmit): Promise<Answer> {
    const body = await signedTask(testSigner, { key, task });
    return this.call({ path: '/v1/tasks?again=true', body, headers: { 'idempotency-key': key } });
  }

  async report(taskId: string): Promise<TaskReport> {
    const answer = await this.call({ path: `/v1/tasks/${taskId}` });
    return answer.body as TaskReport; // What the route promises, and other tests check.
  }

  /** Awaits that the task's letters are these. */
  async letters(taskId: string, letters: string): Promise<TaskReport> {
    return eventually(async () => {
      const report = await this.report(taskId);
      if (report.letters !== letters) throw new Error(`the letters are ${report.letters}`);
      return report;
    });
  }

  /** A task for all agents that may queue for a minute. */
  task(of: Partial<TaskSubmit> = {}): TaskSubmit {
    return {
      version: 1,
      slot: 'remediation-1/restart',
      attempt: 1,
      action: {
        ...{ kind: 'script', interpreter: 'sh', content: 'exit 0\n', args: [], env: {} },
        ...{ secretEnv: {}, stdin: { kind: 'none' }, cwd: null },
      },
      targets: this.agents.map(({ agentId, journalId }) => ({ agentId, journalId })),
      limits: { timeoutMs: 10_000, outputBytes: 5 * 1024 * 1024 },
      notAfter: systemClock.now() + 60_000,
      deadline: systemClock.now() + 120_000,
      callback: null,
      ...of,
    };
  }
}
