import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Readiness } from '../platform/metrics.ts';
import { readControl } from '../redis/control-cache.ts';
import { Gateways } from '../redis/gateways.ts';
import { inventoryVersion, writeInventory } from '../redis/inventory.ts';
import { JobOutput } from '../redis/job-output.ts';
import { Jobs } from '../redis/jobs.ts';
import { LockWishes } from '../redis/lock-wishes.ts';
import { Outbox } from '../redis/outbox.ts';
import { runIdOf } from '../redis/run-id.ts';
import { serverTime } from '../redis/server-time.ts';
import { Sessions } from '../redis/sessions.ts';
import { Tasks } from '../redis/tasks.ts';
import { AgentLinks } from './agent-links.ts';
import { type AgentListener, listenForAgents } from './agent-listener.ts';
import { CallbackOutbox } from './callback-outbox.ts';
import { CertificateSweep } from './certificate-sweep.ts';
import { ClockWatch } from './clock-watch.ts';
import { ControlGate } from './control-gate.ts';
import { DeadlineSweep } from './deadline-sweep.ts';
import { Dispatcher } from './dispatch.ts';
import { drain } from './drain.ts';
import type { Enrolment } from './enrolment.ts';
import { enrolmentDoor } from './enrolment-door.ts';
import { FallbackLook } from './fallback-look.ts';
import { registerGatewayGauges } from './gateway-gauges.ts';
import { GatewayMetrics } from './gateway-metrics.ts';
import type { GatewayOptions } from './gateway-options.ts';
import { GatewayPeers } from './gateway-peers.ts';
import { httpServer } from './http-server.ts';
import { Inventory } from './inventory.ts';
import type { IssueRegister } from './issue-register.ts';
import { JobReports } from './job-reports.ts';
import { OutputGets } from './output-gets.ts';
import { OutputReader } from './output-reader.ts';
import { PeerOutput } from './peer-output.ts';
import { Presence } from './presence.ts';
import type { Session } from './session.ts';
import { SessionRegistry } from './session-registry.ts';
import { TaskBodies } from './task-bodies.ts';
import { TaskService } from './task-service.ts';
import { TrustFile } from './trust-file.ts';
import { Turns } from './turns.ts';

export type Gateway = {
  readonly agentPort: number;
  readonly httpPort: number;
  readonly readiness: Readiness;
  /**
   * Is not ready any more, sends its agents to the other gateways over `drainMs`, and ends; what is
   * queued, running or to be called back stays in Redis.
   */
  stop(): Promise<void>;
};

const closeWithinMs = 500;
const lockedRetryMs = 10_000;

/**
 * A gateway that listens for agents and for tasks. Rejects if the issue register is damaged or a
 * port is taken; a Redis that is away is waited for.
 */
export async function startGateway(of: GatewayOptions): Promise<Gateway> {
  const parts = partsOf(of);
  const { certificates, routes, ownAddress } = parts.door;
  await parts.door.start((changed) => listener.use(changed));
  await Promise.all([parts.inventory.start(), parts.trust.start()]);
  parts.gate.start();
  parts.presence.start();
  parts.peers.start();
  parts.look.start();
  const onReady = () => parts.look.redisReturned();
  of.redis.background.on('ready', onReady);
  parts.sweep.start();
  parts.certificateSweep.start();
  parts.clockWatch.start();
  parts.outbox.start();
  const listener: AgentListener = await listenForAgents({
    ...of.agents,
    certificates: certificates.current,
    onLink: (socket, peer) => parts.links.open(socket, peer),
    onRequest: (request, response) => routes.handle(request, response),
    onRefused: (reason) => parts.metrics.handshake(reason),
    clock: of.clock,
  });
  ownAddress.port = listener.port;
  await parts.http.listen(of.http);
  const { port } = parts.http.server.address() as AddressInfo; // A TCP server's address is one.
  of.log.info({ agentPort: listener.port, httpPort: port }, 'the gateway listens');
  return {
    agentPort: listener.port,
    httpPort: port,
    readiness: parts.readiness,
    async stop() {
      of.redis.background.off('ready', onReady);
      await stopAll(of, parts, listener);
    },
  };
}

async function stopAll(
  { clocks: { drainMs }, clock }: GatewayOptions,
  parts: ReturnType<typeof partsOf>,
  listener: AgentListener,
): Promise<void> {
  parts.draining.isOn = true;
  parts.peers.tellDraining();
  parts.dispatcher.stop();
  const closed = listener.close(drainMs + closeWithinMs);
  await drain({ sessions: parts.registry.all(), drainMs, clock });
  await parts.http.close();
  await closed;
  await Promise.all([
    parts.outbox.stop(),
    parts.sweep.stop(),
    parts.certificateSweep.stop(),
    parts.clockWatch.stop(),
    parts.gate.stop(),
    parts.presence.stop(),
    parts.look.stop(),
    parts.inventory.stop(),
    parts.trust.stop(),
    parts.door.stop(),
  ]);
  await parts.peers.stop();
}

function partsOf(of: GatewayOptions) {
  const { clock, log, clocks, gatewayId, crash } = of;
  const { background, request } = of.redis;
  const metrics = new GatewayMetrics(of.metrics);
  const registry = new SessionRegistry();
  const draining = { isOn: false };
  const [tasks, jobs] = [new Tasks(background), new Jobs(background)];
  const sessions = new Sessions(background);
  const gate = new ControlGate({
    ...{ clock, log, read: () => readControl(request), wishes: new LockWishes(request) },
    audit: of.audit,
    onChange: () => dispatcher.wakeAll(),
    onLocked: (agentId) => registry.get(agentId)?.end('locked', lockedRetryMs),
  });
  const door = enrolmentDoor(of, { gate, metrics, trust: () => trust.trust });
  const inventory = inventoryOf(of, door.register);
  const bodies = new TaskBodies((taskId) => tasks.body(taskId));
  const isHostStopped = (agentId: string) =>
    gate.isHostStopped(inventory.byId(agentId)?.labels ?? {});
  const turns = new Turns(clock);
  const dispatcher = new Dispatcher({
    ...{ registry, gate, isHostStopped, bodies, turns, jobs, tasks, crash, clock, log },
  });
  const gateways = new Gateways(of.redis.background, of.redis.subscriber);
  const peers = peersOf(of, { registry, dispatcher, gateways, sessions, draining });
  const look = lookOf(of, { registry, dispatcher, bodies, tasks, sessions });
  const output = new JobOutput(background);
  const reports = new JobReports({
    ...{ jobs, tasks, output, graceMs: clocks.batchGraceMs, trust: () => trust.trust },
    ...{ metrics, crash, clock, log },
  });
  const outputGets = outputGetsOf(of, registry);
  const onBehind = (session: Session) => void links.lockOut(session);
  const presence = presenceOf(of, { registry, gate, gateways, draining, onBehind });
  const trust = new TrustFile({
    ...{ file: join(of.certificatesDir, 'trust.json'), clock, log },
    onChange: (bundle) => links.tellAll(bundle),
  });
  const links = new AgentLinks({
    ...{ inventory, trust, registry, dispatcher, turns, reports, outputGets, gate, sessions },
    ...{ ...clocks, peers, gatewayId, metrics, clock, log },
  });
  const sweep = sweepOf(of, { jobs, tasks, presence, gate, metrics });
  const newestEndOf = (agentId: string) => inventory.certificateEndOf(agentId);
  const certificateSweep = new CertificateSweep({ registry, newestEndOf, clock, log });
  const outbox = outboxOf(of, { tasks, metrics });
  const readiness = readinessOf(of, inventory, draining);
  const { enrolment, certificates } = door;
  const served = { inventory, presence, dispatcher, bodies, peers, outputGets, readiness };
  const http = httpOf(of, { ...served, metrics, enrolment });
  const clockWatch = new ClockWatch({
    ...{ redisTime: () => serverTime(background), gatewayLookMs: clocks.gatewayLookMs, clock, log },
  });
  registerGatewayGauges(of, { registry, inventory, gate, clockWatch, certificates });
  return {
    metrics,
    registry,
    inventory,
    trust,
    gate,
    dispatcher,
    presence,
    peers,
    look,
    links,
    sweep,
    certificateSweep,
    clockWatch,
    outbox,
    draining,
    readiness,
    http,
    door,
  };
}

function lookOf(
  { redis: { background }, gatewayId, clocks, clock, log }: GatewayOptions,
  parts: {
    readonly registry: SessionRegistry;
    readonly dispatcher: Dispatcher;
    readonly bodies: TaskBodies;
    readonly tasks: Tasks;
    readonly sessions: Sessions;
  },
): FallbackLook {
  const { registry, dispatcher, bodies, tasks, sessions } = parts;
  return new FallbackLook({
    ...{ registry, dispatcher, bodies, gatewayLookMs: clocks.gatewayLookMs, clock, log },
    openTasks: () => tasks.openMarks(),
    runId: () => runIdOf(background),
    keep: (owned) => sessions.keep(gatewayId, owned),
  });
}

/** Asked by requests, so by the connection that fails at once. */
function presenceOf(
  { redis, clocks, gatewayId, clock, log }: GatewayOptions,
  parts: {
    readonly registry: SessionRegistry;
    readonly gate: ControlGate;
    readonly gateways: Gateways;
    readonly draining: { readonly isOn: boolean };
    readonly onBehind: (session: Session) => void;
  },
): Presence {
  const { registry, gate, gateways, draining, onBehind } = parts;
  return new Presence({
    ...{ ...clocks, registry, sessions: new Sessions(redis.request), gatewayId },
    lockOf: (agentId) => gate.lockOf(agentId),
    isDraining: () => draining.isOn,
    alive: (ids) => gateways.alive(ids),
    draining: (ids) => gateways.draining(ids),
    ...{ onBehind, clock, log },
  });
}

function outboxOf(
  of: GatewayOptions,
  { tasks, metrics }: { readonly tasks: Tasks; readonly metrics: GatewayMetrics },
): CallbackOutbox {
  const { clocks, gatewayId, callbackSecret: secret, egressAllow, crash, clock, log } = of;
  const { background, blocking } = of.redis;
  return new CallbackOutbox({
    ...{ ...clocks, outbox: new Outbox({ redis: background, blocking, gatewayId }), secret },
    read: (taskId) => tasks.read(taskId),
    ...{ egressAllow, metrics, crash, clock, log },
  });
}

function sweepOf(
  { crash, clock, log }: GatewayOptions,
  parts: {
    readonly jobs: Jobs;
    readonly tasks: Tasks;
    readonly presence: Presence;
    readonly gate: ControlGate;
    readonly metrics: GatewayMetrics;
  },
): DeadlineSweep {
  const { jobs, tasks, presence, gate, metrics } = parts;
  return new DeadlineSweep({
    ...{ jobs, metrics, crash, clock, log },
    read: (taskId) => tasks.read(taskId),
    giveUp: (taskId) => tasks.giveUp(taskId),
    online: (agentIds) => presence.online(agentIds),
    isLocked: (agentId) => gate.lockOf(agentId) !== null,
  });
}

function peersOf(
  of: GatewayOptions,
  parts: {
    readonly registry: SessionRegistry;
    readonly dispatcher: Dispatcher;
    readonly gateways: Gateways;
    readonly sessions: Sessions;
    readonly draining: { readonly isOn: boolean };
  },
): GatewayPeers {
  const { registry, dispatcher, gateways, sessions, draining } = parts;
  const { gatewayId, url, clock, log } = of;
  const { gatewayLookMs, gatewayAliveMs } = of.clocks;
  return new GatewayPeers({
    ...{ registry, gateways, gatewayId, url, gatewayLookMs, gatewayAliveMs, clock, log },
    owners: (agentIds) => sessions.owners(agentIds),
    isDraining: () => draining.isOn,
    onMessage(message) {
      if (message.kind === 'cancel') return dispatcher.cancel(message);
      if (message.kind === 'replaced') return registry.replaced(message);
      dispatcher.begin(message).catch((error: unknown) => {
        log.warn({ error, taskId: message.taskId }, 'a task begins at the next look');
      });
    },
  });
}

const outputGetsOf = ({ clocks, clock }: GatewayOptions, registry: SessionRegistry): OutputGets =>
  new OutputGets({
    session: (agentId) => registry.get(agentId),
    outputGetMs: clocks.outputGetMs,
    clock,
  });

const inventoryOf = (
  { redis, crash, clock, log }: GatewayOptions,
  register: IssueRegister,
): Inventory =>
  new Inventory({
    ...{ register, crash },
    publishedVersion: () => inventoryVersion(redis.background),
    publish: (inventory) => writeInventory(redis.background, inventory),
    clock,
    log,
  });

const readinessOf = (
  { redis }: GatewayOptions,
  inventory: Inventory,
  draining: { readonly isOn: boolean },
): Readiness => ({
  gateway: async () => (draining.isOn ? 'is stopping' : null),
  redis: async () => ((await redis.request.ping()) === 'PONG' ? null : 'does not answer'),
  inventory: async () =>
    inventory.isPublished ? null : 'is not in Redis yet; planning waits for it',
});

/** Requests use the connection that fails at once, so that they are answered in time (rule R8). */
function httpOf(
  of: GatewayOptions,
  parts: {
    readonly inventory: Inventory;
    readonly presence: Presence;
    readonly dispatcher: Dispatcher;
    readonly bodies: TaskBodies;
    readonly peers: GatewayPeers;
    readonly outputGets: OutputGets;
    readonly metrics: GatewayMetrics;
    readonly readiness: Readiness;
    readonly enrolment: Enrolment;
  },
) {
  const tasks = new Tasks(of.redis.request);
  const { egressAllow, crash, clock, log, tokens, readTokens, operators, metrics: scrape } = of;
  const service = new TaskService({ ...parts, tasks, egressAllow, crash, log });
  const store = new JobOutput(of.redis.request);
  const [sessions, gateways] = [
    new Sessions(of.redis.request),
    new Gateways(of.redis.request, of.redis.subscriber),
  ];
  const elsewhere = new PeerOutput({
    owners: (agentIds) => sessions.owners(agentIds),
    alive: (ids) => gateways.alive(ids),
    ...{ gatewayId: of.gatewayId, tokens, egressAllow, clock, log },
    outputGetMs: of.clocks.outputGetMs,
  });
  const output = new OutputReader({
    kept: (which) => store.kept(which),
    ask: (agentId, range) => parts.outputGets.ask(agentId, range),
    askElsewhere: (agentId, range) => elsewhere.ask(agentId, range),
  });
  return httpServer({
    ...{ ...parts, service, tasks, output, tokens, readTokens, operators, url: of.url },
    ...{ scrape, clock, log },
  });
}
