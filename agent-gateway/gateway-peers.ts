import { limits } from '../contracts/limits.ts';
import type { WakeMessage } from '../contracts/wake.ts';
import { slices } from '../domain/slices.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { type Rounds, startRounds } from './rounds.ts';
import type { SessionRegistry } from './session-registry.ts';

type Owner = { readonly gatewayId: string };

export type GatewayPeersDeps = {
  readonly registry: Pick<SessionRegistry, 'get'>;
  readonly gateways: {
    beat(of: {
      readonly gatewayId: string;
      readonly url: string;
      readonly isDraining: boolean;
      readonly ms: number;
    }): Promise<void>;
    leave(gatewayId: string): Promise<void>;
    wake(gatewayId: string, message: WakeMessage): Promise<void>;
    listen(gatewayId: string, onMessage: (message: WakeMessage) => void): Promise<void>;
  };
  readonly owners: (agentIds: readonly string[]) => Promise<readonly (Owner | null)[]>;
  readonly gatewayId: string;
  /** Where this gateway's API is. */
  readonly url: string;
  /** Whether this gateway is sending its agents away. */
  readonly isDraining: () => boolean;
  readonly gatewayLookMs: number;
  readonly gatewayAliveMs: number;
  readonly onMessage: (message: WakeMessage) => void;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * The other gateways: says that this one lives, wakes those that hold the agents which something is
 * for, and hears what they wake this one for. A wake-up may be lost at any time; what it was about
 * is in Redis and found at the next look (rule R5).
 */
export class GatewayPeers {
  readonly #deps: GatewayPeersDeps;
  #isListening = false;
  #rounds: Rounds | undefined;
  #told: Promise<void> | undefined;

  constructor(deps: GatewayPeersDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { clock, log, gatewayLookMs: ms } = this.#deps;
    this.#rounds = startRounds({ name: 'peers', ms, work: () => this.#beat(), clock, log });
  }

  /** Says that this gateway is gone, unless Redis is away; then its key says so in time. */
  async stop(): Promise<void> {
    await this.#rounds?.stop();
    await this.#told;
    await this.#deps.gateways.leave(this.#deps.gatewayId).catch((error: unknown) => {
      this.#deps.log.warn({ error }, 'the end of this gateway is known only when its key expires');
    });
  }

  /**
   * Says that this gateway has begun to send its agents away, before its next sign of life would.
   * Waits for nobody: a Redis that is away keeps no agent from leaving.
   */
  tellDraining(): void {
    this.#told = this.#attempt(() => this.#sayAlive());
  }

  /** Wakes who holds agents that are not here for a task that has just been kept. Never rejects. */
  tellTask(of: {
    readonly taskId: string;
    readonly createdAt: number;
    readonly agentIds: readonly string[];
  }): Promise<void> {
    const { taskId, createdAt } = of;
    return this.#tell(of.agentIds, () => [{ kind: 'task', taskId, createdAt }]);
  }

  /** The same for jobs that are to end. Never rejects. */
  tellCancel(of: {
    readonly taskId: string;
    readonly reason: string;
    readonly agentIds: readonly string[];
  }): Promise<void> {
    const { taskId, reason } = of;
    const message = (agentIds: string[]) =>
      ({ kind: 'cancel', taskId, reason, agentIds }) as const satisfies WakeMessage;
    return this.#tell(of.agentIds, (agentIds) =>
      Array.from(slices(agentIds, limits.sliceJobsMax), message),
    );
  }

  /** Tells a gateway that an agent's newest session is elsewhere. Never rejects. */
  tellReplaced(
    gatewayId: string,
    of: { readonly agentId: string; readonly sessionId: string },
  ): Promise<void> {
    return this.#attempt(() => this.#deps.gateways.wake(gatewayId, { kind: 'replaced', ...of }));
  }

  async #beat(): Promise<void> {
    const { gateways, gatewayId, onMessage } = this.#deps;
    await this.#sayAlive();
    if (this.#isListening) return;
    await gateways.listen(gatewayId, onMessage);
    this.#isListening = true;
  }

  #sayAlive(): Promise<void> {
    const { gateways, gatewayId, url, gatewayAliveMs: ms } = this.#deps;
    return gateways.beat({ gatewayId, url, isDraining: this.#deps.isDraining(), ms });
  }

  /** Owners are read after what it is about was written: a session that opens meanwhile finds it. */
  #tell(
    agentIds: readonly string[],
    messages: (agentIds: string[]) => readonly WakeMessage[],
  ): Promise<void> {
    const { registry, owners, gateways, gatewayId: own } = this.#deps;
    const elsewhere = agentIds.filter((agentId) => registry.get(agentId) === undefined);
    return this.#attempt(async () => {
      const held = new Map<string, string[]>();
      for (const part of slices(elsewhere, limits.sliceJobsMax)) {
        for (const [at, owner] of (await owners(part)).entries()) {
          const agentId = part[at];
          if (owner === null || owner.gatewayId === own || agentId === undefined) continue;
          const theirs = held.get(owner.gatewayId) ?? [];
          theirs.push(agentId);
          held.set(owner.gatewayId, theirs);
        }
      }
      for (const [gatewayId, theirs] of held) {
        for (const message of messages(theirs)) await gateways.wake(gatewayId, message);
      }
    });
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => {
      this.#deps.log.warn(
        { error },
        'another gateway was not woken; it finds out at its next look',
      );
    });
  }
}
