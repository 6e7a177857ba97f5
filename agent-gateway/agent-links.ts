import { setImmediate } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import { base32 } from '../domain/ids.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Trust } from '../platform/trust-bundle.ts';
import type { ControlGate } from './control-gate.ts';
import type { Dispatcher } from './dispatch.ts';
import { FrameBacklog } from './frame-backlog.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import type { GatewayPeers } from './gateway-peers.ts';
import { type Hello, openLink } from './handshake.ts';
import type { Inventory } from './inventory.ts';
import type { JobReports } from './job-reports.ts';
import type { OutputGets } from './output-gets.ts';
import { dismiss, Session } from './session.ts';
import { SessionFrames } from './session-frames.ts';
import type { SessionRegistry } from './session-registry.ts';

export type AgentLinksDeps = {
  readonly inventory: Inventory;
  readonly trust: { readonly trust: Trust | null };
  readonly registry: SessionRegistry;
  readonly dispatcher: Dispatcher;
  readonly reports: JobReports;
  readonly outputGets: OutputGets;
  readonly gate: ControlGate;
  readonly sessions: {
    opened(
      agentId: string,
      session: {
        readonly sessionId: string;
        readonly gatewayId: string;
        readonly connectedAt: number;
        readonly lastSeenAt: number;
        readonly version: string;
      },
    ): Promise<{
      readonly before: { readonly gatewayId: string } | null;
      readonly entry: string;
    }>;
    closed(
      sessions: readonly { readonly agentId: string; readonly entry: string }[],
    ): Promise<void>;
  };
  readonly peers: Pick<GatewayPeers, 'tellReplaced'>;
  readonly gatewayId: string;
  readonly pingMs: number;
  readonly startLeaseMs: number;
  readonly metrics: GatewayMetrics;
  readonly clock: Clock;
  readonly log: Log;
};

// An agent that is refused for what it is will be refused again: it need not hurry.
const refusedRetryMs = 10_000;
const badFrameRetryMs = 1_000;
const claimRetryMs = 500;
// As with jobs: a burst of writes keeps the loop from heartbeats.
const sliceSessions = 256;

/** From a link to a session, and what a session does. */
export class AgentLinks {
  readonly #deps: AgentLinksDeps;
  readonly #backlog = new FrameBacklog();

  constructor(deps: AgentLinksDeps) {
    this.#deps = deps;
  }

  /** Sees a link through its hello and into a session, or ends it. Never rejects. */
  async open(socket: WebSocket, agentId: string): Promise<void> {
    const { clock, log, metrics } = this.#deps;
    const journalIdOf = (id: string) => this.#deps.inventory.journalIdOf(id);
    const isLocked = (id: string) => this.#deps.gate.lockOf(id) !== null;
    const opening = await openLink(socket, { agentId, journalIdOf, isLocked, clock });
    metrics.handshake(opening.kind === 'refused' ? opening.reason : opening.kind);
    if (opening.kind === 'closed') return;
    if (opening.kind === 'opened') return this.#welcome(socket, opening.hello);
    log.warn({ agentId, reason: opening.reason }, 'an agent was refused');
    socket.resume();
    dismiss(socket, { reason: opening.reason, retryAfterMs: refusedRetryMs, clock });
    if (opening.reason !== 'wrong_journal') return;
    await this.#deps.reports.journalLost(agentId).catch((error: unknown) => {
      // The agent comes back and is refused again, and then this is done again.
      log.warn({ error, agentId }, 'jobs of a lost journal are settled later');
    });
  }

  /** Hands a trust bundle on to every live session that knows what it is. */
  async tellAll({ envelope }: Trust): Promise<void> {
    const sessions = this.#deps.registry.all();
    for (let from = 0; from < sessions.length; from += sliceSessions) {
      for (const session of sessions.slice(from, from + sliceSessions)) session.trust(envelope);
      await setImmediate();
    }
  }

  #welcome(socket: WebSocket, { agentId, version, protocol }: Hello): void {
    const { clock, gatewayId, registry, log } = this.#deps;
    // It may have gone while the register was read; no `close` would take its session out again.
    if (socket.readyState !== socket.OPEN) return;
    const sessionId = base32(clock.randomBytes(10));
    const session = new Session({ agentId, sessionId, version, protocol, socket, clock });
    this.#listen(socket, session);
    socket.on('close', () => {
      registry.remove(session);
      this.#release(session);
      this.#deps.outputGets.closed(session);
      log.info({ agentId, sessionId }, 'an agent is gone');
    });
    session.send({
      ...{ type: 'welcome', protocol, sessionId, gatewayId },
      pingMs: this.#deps.pingMs,
      startLeaseMs: this.#deps.startLeaseMs,
    });
    const { trust } = this.#deps.trust;
    if (trust !== null) session.trust(trust.envelope);
    registry.add(session);
    log.info({ agentId, sessionId, version }, 'an agent is here');
    void this.#claim(session);
    socket.resume();
  }

  /**
   * Makes the session the agent's newest for all gateways, and only then reads its queue: whoever
   * submits writes the queue first and then asks who owns the agent, so that one of the two sees
   * the other (rule R5). Tried until it succeeds or the link is gone. Never rejects.
   */
  async #claim(session: Session): Promise<void> {
    const { sessions, registry, gatewayId, clock, log, dispatcher, peers } = this.#deps;
    const { agentId, sessionId, version, connectedAt, lastSeenAt } = session;
    const stored = { sessionId, gatewayId, connectedAt, lastSeenAt, version };
    const isCurrent = () => session.isOpen && registry.get(agentId) === session;
    while (isCurrent()) {
      try {
        const { before, entry } = await sessions.opened(agentId, stored);
        session.owner = entry;
        if (!session.isOpen) return this.#release(session);
        if (before !== null && before.gatewayId !== gatewayId) {
          void peers.tellReplaced(before.gatewayId, { agentId, sessionId });
        }
        return dispatcher.resync(session);
      } catch (error) {
        log.warn({ error, agentId }, 'a session was not written down; tried again');
        await clock.sleep(claimRetryMs);
      }
    }
  }

  /** Takes the session out for all gateways; a newer one stays. Who reads it later knows its end too. */
  #release({ agentId, owner }: Session): void {
    if (owner === null) return;
    this.#deps.sessions.closed([{ agentId, entry: owner }]).catch((error: unknown) => {
      this.#deps.log.warn({ error, agentId }, 'the end of a session was not written down');
    });
  }

  #listen(socket: WebSocket, session: Session): void {
    const { clock, metrics, registry, reports, log } = this.#deps;
    const { agentId } = session;
    new SessionFrames({
      ...{ socket, clock, backlog: this.#backlog },
      isCurrent: () => (registry.get(agentId) ?? session) === session,
      onPing: (id) => this.#pong(session, id),
      onAnswer: (answer) => this.#deps.outputGets.answered(session, answer),
      onFrame: (frame) => reports.take(session, frame),
      onBadFrame: () => {
        metrics.frameRefused('bad_frame');
        log.warn({ agentId }, 'an agent sent a frame that is none');
        session.end('bad_frame', badFrameRetryMs);
      },
      onRetry: (error) => log.warn({ error, agentId }, 'a report will be stored later'),
    });
  }

  #pong(session: Session, id: number): void {
    this.#deps.metrics.heartbeat(session.silentMs, this.#deps.pingMs);
    session.heard();
    const { control } = this.#deps.gate;
    session.send({
      type: 'pong',
      id,
      gatewayTime: this.#deps.clock.now(),
      lease: control === 'allowed',
      stopped: control === 'stopped',
    });
  }
}
