import { z } from 'zod';
import { limits } from '../contracts/limits.ts';
import type { StandingStop } from '../contracts/stop.ts';
import { stopOfHost, stopOfPolicy } from '../domain/stop-scope.ts';
import type { AuditLog } from '../platform/audit.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { type Rounds, startRounds } from './rounds.ts';

const lock = z.object({
  agentId: z.string(),
  reason: z.string(),
  by: z.string(),
  at: z.int(),
});
/** Why, by whom and when (Unix milliseconds) an agent was locked. */
export type AgentLock = z.infer<typeof lock>;

const stop = z.object({
  scope: z.union([z.object({ policy: z.string() }), z.object({ domain: z.string() })]),
  reason: z.string(),
  by: z.string(),
  at: z.int(),
});

const controlState = z.object({
  stopped: z.boolean(),
  stops: z.array(stop).max(limits.stopsMax).default([]),
  locked: z.array(lock).max(limits.lockedAgentsMax).default([]),
});

/** `missing` also stands for what cannot be read: nothing starts, and nothing is refused (rule R6). */
export type Control = 'allowed' | 'stopped' | 'missing';

type LockWish = { readonly agentId: string; readonly reason: string; readonly at: number };

/**
 * Agents that a gateway found out by itself, for the control workflow to lock. `write` keeps the
 * first wish about an agent; both may reject while Redis is away.
 */
export type LockWishes = {
  write(wish: LockWish): Promise<void>;
  all(): Promise<readonly LockWish[]>;
};

export type ControlGateDeps = {
  /** The text of the control cache, null if there is none. */
  readonly read: () => Promise<string | null>;
  readonly wishes: LockWishes;
  /** Keeps a record of every wish of this gateway. */
  readonly audit: Pick<AuditLog, 'append'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Called on every change of the kill switch, and of what is stopped beside it. */
  readonly onChange: (control: Control) => void;
  /** Called for every locked agent at every look, so that a link that slipped in is ended too. */
  readonly onLocked: (agentId: string) => void;
};

const readMs = 500;
const ownName = 'gateway';

/**
 * The kill switch and the agent locks as this gateway knows them, never older than a second
 * (invariant 4). Locks stay known while the cache is missing: it comes back with them, and until
 * then nothing starts anyway.
 */
export class ControlGate {
  readonly #deps: ControlGateDeps;
  #control: Control = 'missing';
  #stops: readonly StandingStop[] = [];
  #locked: ReadonlyMap<string, AgentLock> = new Map();
  #wished: ReadonlyMap<string, AgentLock> = new Map();
  /** What this gateway found out itself, until the lock stands: Redis may lose a wish it has taken. */
  readonly #own = new Map<string, AgentLock>();
  #rounds: Rounds | undefined;

  constructor(deps: ControlGateDeps) {
    this.#deps = deps;
  }

  get control(): Control {
    return this.#control;
  }

  /** What is stopped one by one; known also while the cache is missing, and then nothing starts anyway. */
  get stops(): readonly StandingStop[] {
    return this.#stops;
  }

  /** Whether no job of this policy may start. */
  isPolicyStopped(policy: string): boolean {
    return stopOfPolicy(this.#stops, policy) !== null;
  }

  /** Whether no job may start on a host with these labels. */
  isHostStopped(labels: Readonly<Record<string, string>>): boolean {
    const own = (name: string) => (Object.hasOwn(labels, name) ? labels[name] : undefined);
    return stopOfHost(this.#stops, own) !== null;
  }

  /** The lock on an agent, also one that is only wished for so far. */
  lockOf(agentId: string): AgentLock | null {
    return this.#locked.get(agentId) ?? this.#wished.get(agentId) ?? this.#own.get(agentId) ?? null;
  }

  /**
   * Keeps an agent out from now on and asks for a lock that lasts; one that is locked stays as it
   * is. Never rejects: what Redis does not take now, or loses before the lock stands, it is given
   * at the next look.
   */
  async wishLock(agentId: string, reason: string): Promise<void> {
    if (this.lockOf(agentId) !== null) return;
    const { audit, clock, log, onLocked } = this.#deps;
    log.warn({ agentId, reason }, 'an agent is locked');
    this.#own.set(agentId, { agentId, reason, by: ownName, at: clock.now() });
    onLocked(agentId);
    await this.#writeWishes();
    const record = { kind: 'agent.lock_wished', actor: ownName, object: agentId };
    await audit.append({ ...record, detail: { reason } }).catch((error: unknown) => {
      log.error({ error, agentId }, 'an audit record was not written');
    });
  }

  start(): void {
    const { clock, log } = this.#deps;
    const work = () => this.refresh();
    this.#rounds ??= startRounds({ name: 'control', ms: readMs, work, clock, log });
  }

  async stop(): Promise<void> {
    await this.#rounds?.stop();
  }

  /** Reads the control cache and the wishes once. Never rejects. */
  async refresh(): Promise<void> {
    // In this order: a wish is removed only after the lock it became is in the cache.
    await this.#readWishes();
    const before = JSON.stringify(this.#stops);
    const control = await this.#read();
    for (const agentId of this.#locked.keys()) this.#own.delete(agentId);
    await this.#writeWishes();
    for (const each of [this.#locked, this.#wished, this.#own]) {
      for (const agentId of each.keys()) this.#deps.onLocked(agentId);
    }
    if (control === this.#control && before === JSON.stringify(this.#stops)) return;
    const stops = this.#stops.map(({ scope }) => scope);
    this.#deps.log.info({ from: this.#control, to: control, stops }, 'the kill switch changed');
    this.#control = control;
    this.#deps.onChange(control);
  }

  async #read(): Promise<Control> {
    try {
      const text = await this.#deps.read();
      if (text === null) return 'missing';
      const { stopped, locked, stops } = controlState.parse(JSON.parse(text));
      this.#stops = stops;
      this.#locked = new Map(locked.map((each) => [each.agentId, each]));
      return stopped ? 'stopped' : 'allowed';
    } catch {
      return 'missing'; // Unreadable is as good as missing; the change to it is logged above.
    }
  }

  async #readWishes(): Promise<void> {
    try {
      const wishes = await this.#deps.wishes.all();
      this.#wished = new Map(wishes.map((each) => [each.agentId, { ...each, by: ownName }]));
    } catch (error) {
      this.#deps.log.debug({ error }, 'lock wishes are read again later');
    }
  }

  async #writeWishes(): Promise<void> {
    for (const { agentId, reason, at } of this.#own.values()) {
      if (this.#wished.has(agentId)) continue;
      try {
        await this.#deps.wishes.write({ agentId, reason, at });
      } catch (error) {
        this.#deps.log.warn({ error, agentId }, 'a lock wish is written later');
      }
    }
  }
}
