import { setImmediate } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import { limits } from '../contracts/limits.ts';
import { base32 } from '../domain/ids.ts';
import { slices } from '../domain/slices.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Trust } from '../platform/trust-bundle.ts';
import type { ControlGate } from './control-gate.ts';
import type { Dispatcher } from './dispatch.ts';
import type { Peer } from './enrolment.ts';
import { FrameBacklog } from './frame-backlog.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import type { GatewayPeers } from './gateway-peers.ts';
import { type Hello, openLink } from './handshake.ts';
import type { EnrolledAgent, Inventory } from './inventory.ts';
import type { JobReports } from './job-reports.ts';
import type { OutputGets } from './output-gets.ts';
import { dismiss, Session } from './session.ts';
import { type Ping, SessionFrames } from './session-frames.ts';
import type { SessionRegistry } from './session-registry.ts';
import type { Turns } from './turns.ts';

type Told = {
  readonly agentId: string;
  readonly sequence: number;
  readonly owner: string | null;
};

export type AgentLinksDeps = {
  readonly inventory: Inventory;
  readonly trust: { readonly trust: Trust | null };
  readonly registry: SessionRegistry;
  readonly dispatcher: Dispatcher;
  readonly turns: Turns;
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
        readonly sequence: number;
      },
    ): Promise<
      | {
          readonly kind: 'opened';
          readonly before: { readonly gatewayId: string } | null;
          readonly entry: string;
        }
      | { readonly kind: 'rolled_back'; readonly highest: number }
    >;
    sequences(of: readonly Told[]): Promise<unknown>;
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
const pingLookMs = 50;

/** From a link to a session, and what a session does. */
export class AgentLinks {
  readonly #deps: AgentLinksDeps;
  readonly #backlog = new FrameBacklog();

  constructor(deps: AgentLinksDeps) {
    this.#deps = deps;
  }

  /** Sees a link through its hello and into a session, or ends it. Never rejects. */
  async open(socket: WebSocket, peer: Peer): Promise<void> {
    const { agentId, generation } = peer;
    const { clock, log, metrics } = this.#deps;
    const journalIdOf = (id: string) => this.#deps.inventory.journalIdOf(id);
    // Two generations behind cannot be the agent that was renewed: it is a copy (security T3).
    if (this.#deps.inventory.generationOf(agentId) > generation + 1) {
      void this.#deps.gate.wishLock(agentId, 'cloned');
    }
    const isLocked = (id: string) => this.#deps.gate.lockOf(id) !== null;
    const opening = await openLink(socket, { agentId, journalIdOf, isLocked, clock });
    metrics.handshake(opening.kind === 'refused' ? opening.reason : opening.kind);
    if (opening.kind === 'closed') return;
    if (opening.kind === 'opened') return this.#welcome(socket, opening.hello, peer);
    log.warn({ agentId, reason: opening.reason }, 'an agent was refused');
    socket.resume();
    dismiss(socket, { reason: opening.reason, retryAfterMs: refusedRetryMs, clock });
    if (opening.reason !== 'wrong_journal') return;
    await this.#deps.reports.journalLost(agentId).catch((error: unknown) => {
      // The agent comes back and is refused again, and then this is done again.
      log.warn({ error, agentId }, 'jobs of a lost journal are settled later');
    });
  }

  /** Hands a trust bundle on to every live session that knows what it is, in slices as jobs are. */
  async tellAll({ envelope }: Trust): Promise<void> {
    const sessions = this.#deps.registry.all();
    for (const slice of slices(sessions, limits.sliceJobsMax)) {
      for (const session of slice) session.trust(envelope);
      await setImmediate();
    }
  }

  #welcome(socket: WebSocket, hello: Hello, { certificateEndsAt }: Peer): void {
    const { agentId, version, protocol, sequence } = hello;
    const { clock, gatewayId, registry, log } = this.#deps;
    // It may have gone while the register was read; no `close` would take its session out again.
    if (socket.readyState !== socket.OPEN) return;
    const sessionId = base32(clock.randomBytes(10));
    const session = new Session({
      ...{ agentId, sessionId, version, protocol, sequence },
      ...{ certificateEndsAt, socket, clock },
    });
    // What an older session here was told last may not be written down yet.
    const before = registry.get(agentId);
    this.#listen(socket, session);
    socket.on('close', () => {
      registry.remove(session);
      this.#keepSequence(session);
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
    void this.#claim(session, before ? [before] : []);
    socket.resume();
  }

  /**
   * Makes the session the agent's newest for all gateways, and only then reads its queue: whoever
   * submits writes the queue first and then asks who owns the agent, so that one of the two sees
   * the other (rule R5). Tried until it succeeds or the link is gone. Never rejects.
   */
  async #claim(session: Session, known: readonly Told[]): Promise<void> {
    const { sessions, registry, gatewayId, clock, log, dispatcher, peers } = this.#deps;
    const { agentId, sessionId, version, connectedAt, lastSeenAt, sequence } = session;
    const stored = { sessionId, gatewayId, connectedAt, lastSeenAt, version, sequence };
    const isCurrent = () => session.isOpen && registry.get(agentId) === session;
    while (isCurrent()) {
      try {
        await sessions.sequences(known);
        const opened = await sessions.opened(agentId, stored);
        if (opened.kind === 'rolled_back') return await this.#judge(session, isCurrent);
        const { before, entry } = opened;
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

  /**
   * A journal was set back, or a copy of the agent runs elsewhere: what ran on the host can no
   * longer be known, so nothing more is started there (rule R16). Never rejects.
   */
  async lockOut(session: Session): Promise<void> {
    const { registry, gate, reports, log } = this.#deps;
    const { agentId, sequence } = session;
    log.error({ agentId, sequence }, 'an agent’s journal is behind what it told before');
    registry.remove(session);
    session.end('journal_rolled_back', refusedRetryMs);
    await gate.wishLock(agentId, 'journal_rolled_back');
    await reports.journalLost(agentId).catch((error: unknown) => {
      log.warn({ error, agentId }, 'jobs of a journal set back are settled by their deadline');
    });
  }

  /**
   * A hello that lay in a stalled gateway while its agent went on elsewhere is behind, too. A ping
   * tells the two apart: the agent is on this link, so whatever it told elsewhere was before.
   */
  async #judge(session: Session, isCurrent: () => boolean): Promise<void> {
    while (isCurrent() && !session.hasPinged) await this.#deps.clock.sleep(pingLookMs);
    if (isCurrent()) await this.lockOut(session);
  }

  /** Takes the session out for all gateways; a newer one stays. Who reads it later knows its end too. */
  #release({ agentId, owner }: Session): void {
    if (owner === null) return;
    this.#deps.sessions.closed([{ agentId, entry: owner }]).catch((error: unknown) => {
      this.#deps.log.warn({ error, agentId }, 'the end of a session was not written down');
    });
  }

  #keepSequence({ agentId, sequence }: Session): void {
    this.#deps.sessions.sequences([{ agentId, sequence, owner: null }]).catch((error: unknown) => {
      this.#deps.log.warn({ error, agentId }, 'a journal’s sequence was not written down');
    });
  }

  #listen(socket: WebSocket, session: Session): void {
    const { clock, metrics, registry, reports, log } = this.#deps;
    const { agentId } = session;
    new SessionFrames({
      ...{ socket, clock, backlog: this.#backlog },
      isCurrent: () => (registry.get(agentId) ?? session) === session,
      onAnswer: (answer) => this.#deps.outputGets.answered(session, answer),
      onPing: (ping) => this.#pong(session, ping),
      onFrame: (frame) => reports.take(session, frame),
      onBadFrame: () => {
        metrics.frameRefused('bad_frame');
        log.warn({ agentId }, 'an agent sent a frame that is none');
        session.end('bad_frame', badFrameRetryMs);
      },
      onRetry: (error) => log.warn({ error, agentId }, 'a report will be stored later'),
    });
  }

  #pong(session: Session, { id, sequence, clockOffsetMs: told }: Ping): void {
    const enrolled = this.#deps.inventory.byId(session.agentId);
    // Another one has its name by now: its host was lost or set up anew.
    if (enrolled === undefined) {
      session.end('not_enrolled', refusedRetryMs);
      return;
    }
    const clockOffsetMs = told ?? null;
    if (clockOffsetMs !== null && session.clockOffsetMs === null) {
      const { agentId } = session;
      this.#deps.log.warn({ agentId, clockOffsetMs }, 'the clock of a host is off');
    }
    this.#deps.metrics.heartbeat(session.silentMs, this.#deps.pingMs);
    session.heard({ sequence, clockOffsetMs });
    this.#deps.turns.add(() => this.#lease(session, id, enrolled.labels));
  }

  /** What is true when it is written, not when the ping came. */
  #lease(session: Session, id: Ping['id'], labels: EnrolledAgent['labels']): void {
    const { gate } = this.#deps;
    const isStopped = gate.control === 'stopped' || gate.isHostStopped(labels);
    // A lease is for all jobs of the agent: one that may hold a job of a stopped policy gets none. It is
    // not called stopped, because its jobs of other policies may be tried again.
    const mayHoldStopped =
      gate.stops.length > 0 && session.isUnheardOf((policy) => gate.isPolicyStopped(policy));
    session.pong({
      id,
      gatewayTime: this.#deps.clock.now(),
      lease: gate.control === 'allowed' && !isStopped && !mayHoldStopped,
      stopped: isStopped,
    });
  }
}
