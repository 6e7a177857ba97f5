import type { AgentView } from '../contracts/task.ts';
import type { InventoryAgent } from '../domain/target-selection.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import { sha256Hex } from '../platform/digest.ts';
import type { Log } from '../platform/log.ts';
import type { IssueRegister } from './issue-register.ts';
import { byName, type RegisteredAgent } from './register-records.ts';
import { type Rounds, startRounds } from './rounds.ts';

export type InventoryDeps = {
  readonly register: IssueRegister;
  /** Which register Redis was rebuilt from; null while it has none. */
  readonly publishedVersion: () => Promise<string | null>;
  readonly publish: (of: {
    readonly version: string;
    readonly agents: readonly InventoryAgent[];
  }) => Promise<void>;
  readonly crash: CrashPoints<'gateway'>;
  readonly clock: Clock;
  readonly log: Log;
};

export type EnrolledAgent = Pick<AgentView, 'id' | 'name' | 'journalId' | 'labels'>;

const lookMs = 1_000;

/**
 * Who is enrolled: the issue register in memory, and its copy in Redis for those who plan. The
 * copy is rebuilt whenever it is missing or of another register, and only then marked complete
 * (rule X5). A register that cannot be read, or that is suddenly empty, leaves what was known and
 * publishes nothing: empty never means none (invariant 6).
 */
export class Inventory {
  readonly #deps: InventoryDeps;
  #byId = new Map<string, EnrolledAgent>();
  #version: string | null = null;
  #isPublished = false;
  #membership = -1;
  #rounds: Rounds | undefined;

  constructor(deps: InventoryDeps) {
    this.#deps = deps;
  }

  /** Reads the register before anything else. Throws `inventory_incomplete` if it is damaged. */
  async start(): Promise<void> {
    await this.#read();
    const { clock, log } = this.#deps;
    const work = () => this.refresh();
    this.#rounds = startRounds({ name: 'inventory', ms: lookMs, work, clock, log });
  }

  async stop(): Promise<void> {
    await this.#rounds?.stop();
  }

  /** Whether Redis had the whole inventory at the last look. */
  get isPublished(): boolean {
    return this.#isPublished;
  }

  byId(agentId: string): EnrolledAgent | undefined {
    return this.#byId.get(agentId);
  }

  /**
   * The journal of an agent, undefined if it is not enrolled. The register is looked at once more
   * for one that is not known, because it may have been issued a moment ago. Never rejects.
   */
  async journalIdOf(agentId: string): Promise<string | undefined> {
    if (this.byId(agentId) === undefined) {
      await this.#read().catch((error: unknown) => {
        this.#deps.log.warn({ error }, 'the issue register cannot be read');
      });
    }
    return this.byId(agentId)?.journalId;
  }

  /**
   * Those of the agents that are enrolled. The register is looked at once more if one is not known: another
   * gateway may have issued it a moment ago. Rejects if it cannot be read then, because `not_enrolled` is final.
   */
  async enrolled(agentIds: readonly string[]): Promise<ReadonlySet<string>> {
    const isKnown = (agentId: string) => this.byId(agentId) !== undefined;
    if (!agentIds.every(isKnown)) await this.#read();
    return new Set(agentIds.filter(isKnown));
  }

  /** How often the agent's certificate was renewed, as far as this gateway has read; else 0. */
  generationOf(agentId: string): number {
    return this.#deps.register.agents.get(agentId)?.generation ?? 0;
  }

  /** When the agent's newest certificate ends, as far as this gateway has read; Unix milliseconds. */
  certificateEndOf(agentId: string): number | undefined {
    return this.#deps.register.agents.get(agentId)?.notAfter;
  }

  /** By id or, failing that, by name. */
  find(idOrName: string): EnrolledAgent | undefined {
    return this.byId(idOrName) ?? this.all().find(({ name }) => name === idOrName);
  }

  /** Sorted by name. */
  all(): readonly EnrolledAgent[] {
    return [...this.#byId.values()];
  }

  /** Reads the register again if it changed, and puts the copy in Redis right. May be repeated. */
  async refresh(): Promise<void> {
    await this.#read();
    const version = this.#version;
    this.#isPublished = version !== null && (await this.#deps.publishedVersion()) === version;
    if (version === null || this.#isPublished) return;
    const agents = this.all().map((agent) => ({
      agentId: agent.id,
      journalId: agent.journalId,
      labels: new Map(Object.entries(agent.labels)),
    }));
    this.#deps.crash('before-inventory');
    await this.#deps.publish({ version, agents });
    this.#deps.crash('after-inventory');
    this.#isPublished = true;
    this.#deps.log.info({ agents: agents.length, version }, 'the inventory is complete');
  }

  async #read(): Promise<void> {
    const { register } = this.#deps;
    await register.read();
    if (register.membership === this.#membership) return;
    this.#byId = new Map(
      byName(register.agents).map((agent) => [agent.agentId, enrolledOf(agent)]),
    );
    this.#version = sha256Hex(JSON.stringify([...this.#byId.values()])).slice(0, 16);
    this.#membership = register.membership;
  }
}

const enrolledOf = ({ agentId, name, journalId, labels }: RegisteredAgent): EnrolledAgent => ({
  id: agentId,
  name,
  journalId,
  labels: { ...labels, name },
});
