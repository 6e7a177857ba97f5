import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { Redis } from 'ioredis';
import type { RemediationRow } from '../../../contracts/http.ts';
import { agentIdFrom } from '../../../domain/ids.ts';
import { aBody, anEntry } from '../alertmanager-posts.ts';
import { check } from '../checker/checker.ts';
import { readStarts, type Start } from '../checker/host-records.ts';
import type { DeliveryView, Post } from '../checker/intake-rules.ts';
import { eventually } from '../eventually.ts';
import { type RunningProduct, startProduct } from '../product.ts';
import { evidenceClocks, evidencePolicy, evidenceRunbook } from './evidence-policy.ts';
import { hosts } from './faults.ts';
import { patient } from './patience.ts';

export type Sent = {
  readonly name: string;
  readonly host: string;
  /** How long the script runs. */
  readonly seconds: number;
  readonly status?: Post['status'];
  readonly due?: Post['due'];
};

const lateMs = 25_000;
const listEveryMs = 400;
const lockWishes = 'fx:{gov}:lock-wishes';

/** A whole product with hosts that keep evidence, and a sender that remembers what it was told. */
export class ChaosRig {
  readonly product: RunningProduct;
  readonly #connection: Connection;
  readonly #redis: Redis;
  readonly #agents: readonly { readonly name: string; readonly agentId: string }[];
  readonly #posts: Post[] = [];
  readonly #startsAt = new Map<string, string>();
  #listedAt = 0;
  #listing: Promise<readonly RemediationRow[]> = Promise.resolve([]);

  private constructor(of: {
    readonly product: RunningProduct;
    readonly connection: Connection;
    readonly redis: Redis;
    readonly agents: readonly { readonly name: string; readonly agentId: string }[];
  }) {
    this.product = of.product;
    this.#connection = of.connection;
    this.#redis = of.redis;
    this.#agents = of.agents;
  }

  /** Starts the product of the clone at `root`, by default this one. */
  static async start(root?: string): Promise<ChaosRig> {
    const product = await startProduct({
      policies: { 'evidence.yaml': evidencePolicy },
      runbooks: { 'evidence.yaml': evidenceRunbook },
      clocks: evidenceClocks,
      agents: hosts.length,
      ...(root === undefined ? {} : { root }),
    });
    const { gateway, token, temporal, redis } = product.run();
    const client = new Redis(redis?.url ?? '');
    client.on('error', () => {}); // Each command rejects by itself, or waits until it is back.
    const answer = await fetch(new URL('/v1/agents', gateway.url), {
      headers: { authorization: `Bearer ${token}` },
    });
    const { items } = (await answer.json()) as { items: { id: string; name: string }[] };
    return new ChaosRig({
      product,
      redis: client,
      connection: await Connection.connect({ address: temporal.address }),
      agents: items.map(({ id, name }) => ({ name, agentId: id })),
    });
  }

  /** Sends as Alertmanager does: again until it hears 200. */
  async send({ name, host, seconds, status = 'firing', due = 'repair' }: Sent): Promise<void> {
    const startsAt = this.#startsAt.get(name) ?? new Date().toISOString();
    this.#startsAt.set(name, startsAt);
    const fingerprint = createHash('sha256').update(name).digest('hex').slice(0, 16);
    const labels = {
      alertname: 'Chaos',
      instance: `${host}:1`,
      case: name,
      seconds: String(seconds),
    };
    const endsAt = status === 'resolved' ? { endsAt: new Date(Date.now() + 1).toISOString() } : {};
    const body = aBody([anEntry({ labels, fingerprint, status, startsAt, ...endsAt })]);
    await eventually(async () => {
      const answer = await this.product.webhook(body);
      assert.equal(answer.status, 200);
    }, patient);
    const answeredAt = Date.now();
    this.#posts.push({ case: name, fingerprint, status, startsAt, due, answeredAt });
  }

  /** A call of the api as an operator; answers its status, 0 if nobody answers. */
  async operate(method: string, path: string, body: unknown): Promise<number> {
    const headers = { 'content-type': 'application/json' };
    const init = { method, headers, body: JSON.stringify(body) };
    return this.product.api(path, init).then(
      ({ status }) => status,
      () => 0,
    );
  }

  /** Leaves the wish that a gateway would; answers the id of the agent, which does not exist. */
  async wishForLock(name: string): Promise<string> {
    const agentId = agentIdFrom(createHash('sha256').update(name).digest());
    const wish = JSON.stringify({ reason: 'chaos', at: Date.now() });
    await this.#redis.hset(lockWishes, agentId, wish);
    return agentId;
  }

  /** Whether the wish has become a lock and is gone. */
  async isLocked(agentId: string): Promise<boolean> {
    const answer = await this.product.api('/v1/control');
    const { locked } = (await answer.json()) as { locked: { agentId: string }[] };
    const isWished = (await this.#redis.hexists(lockWishes, agentId)) === 1;
    return !isWished && locked.some((lock) => lock.agentId === agentId);
  }

  /** The state in which the one repair of a case ended. */
  endOf(name: string): Promise<string> {
    return eventually(async () => {
      const row = await this.repairOf(name);
      assert.ok(row.endedAt !== null, `${row.id} is ${row.state}`);
      return row.state;
    }, patient);
  }

  /** What the repair of a case says of itself: its reason, and each try with its hosts' letters. */
  async accountOf(name: string): Promise<string> {
    const { id } = await this.repairOf(name);
    const { reason, steps } = await this.product.progress(id);
    const tries = steps.flatMap((step) =>
      step.batches.map(
        ({ attempt, letters, probe }) =>
          `${step.name}${probe ? ' probe' : ''} ${attempt} ${letters}`,
      ),
    );
    return `${name}: ${reason}; ${tries.join(', ')}`;
  }

  /** The one repair of a case as it stands; rejects if there is none, or more. */
  async repairOf(name: string): Promise<RemediationRow> {
    const found = (await this.#repairs()).filter(({ group }) => group.startsWith(`${name}~`));
    const [row] = found;
    if (row === undefined || found.length > 1) {
      throw new Error(`${name} has ${found.length} repairs`);
    }
    return row;
  }

  /** One listing for all who ask at a time: dozens of cases may be waiting. */
  #repairs(): Promise<readonly RemediationRow[]> {
    if (performance.now() - this.#listedAt > listEveryMs) {
      this.#listedAt = performance.now();
      this.#listing = this.product.remediations();
    }
    return this.#listing;
  }

  /** All starts of a case on any host. */
  starts(name: string): readonly Start[] {
    return this.#agents
      .flatMap((agent) => readStarts(this.#evidenceOf(agent.name)))
      .filter((start) => start.case === name);
  }

  /** Whether a program died at an armed point since it was armed last. */
  hasDied(program: string, point: string): boolean {
    return existsSync(join(this.product.crashFolder, `${program}.${point}.died`));
  }

  arm(program: string, point: string): void {
    rmSync(join(this.product.crashFolder, `${program}.${point}.died`), { force: true });
    this.product.arm(program, point);
  }

  disarm(program: string, point: string): void {
    rmSync(join(this.product.crashFolder, `${program}.${point}`), { force: true });
  }

  /** A signal to a part; one that does not run now is left alone. Answers whether it was sent. */
  signal(part: string, signal: NodeJS.Signals): boolean {
    const pid = this.product.run().pids[part];
    if (pid === undefined) return false;
    try {
      return process.kill(pid, signal);
    } catch {
      return false; // It has just ended.
    }
  }

  /** Resolves once a program that died at a point, or was killed, answers again. */
  async isBack(program: string): Promise<void> {
    const url = this.product.run().metrics?.[program];
    if (url === undefined) return; // An agent has no address; its host's repair waits for it.
    await eventually(async () => {
      const answer = await fetch(new URL('/readyz', url), { signal: AbortSignal.timeout(2_000) });
      assert.equal(answer.status, 200);
    }, patient);
  }

  /**
   * Judges all that happened since then. What is only late is no violation: Temporal writes a signal
   * down when the workflow task that is under way has ended, and that of a dead worker takes 10 s.
   * So it is judged again until all holds, or `lateMs` have passed.
   */
  async check(sinceMs: number): Promise<readonly string[]> {
    let violations: readonly string[] = [];
    await eventually(
      async () => {
        violations = await this.#judge(sinceMs);
        assert.deepEqual(violations, []);
      },
      { withinMs: lateMs, everyMs: 1_000 },
    ).catch((error: unknown) => {
      if (violations.length === 0) throw error;
    });
    return violations;
  }

  async #judge(sinceMs: number): Promise<readonly string[]> {
    const posts = this.#posts.filter(({ answeredAt }) => answeredAt >= sinceMs);
    const { deliveries, metrics } = await this.#intakeAtRest(posts.length);
    return check({
      hosts: this.#agents.map(({ name, agentId }) => ({
        name,
        agentId,
        evidenceFile: this.#evidenceOf(name),
        journalFolder: join(this.product.state, 'agents', agentId, 'journal'),
      })),
      temporal: new Client({ connection: this.#connection }),
      auditFolder: join(this.product.state, 'audit'),
      intake: { posts, deliveries, metrics },
      sinceMs,
    });
  }

  /** Its folder goes, unless it is to be kept for a look. */
  async stop(of: { readonly keep?: boolean } = {}): Promise<void> {
    this.#redis.disconnect();
    await this.#connection.close();
    for (const part of hosts) this.signal(part, 'SIGCONT');
    await this.product.stop(of);
  }

  #evidenceOf(agent: string): string {
    return join(this.product.demoFolder(agent), 'starts');
  }

  /** The intake once it has settled, or as it stands after a while: then that is a violation. */
  async #intakeAtRest(posts: number): Promise<{ deliveries: DeliveryView[]; metrics: string }> {
    let read = { deliveries: [] as DeliveryView[], metrics: '' };
    await eventually(
      async () => {
        const listing = await this.product.api(`/v1/alerts?limit=1000`);
        const { items } = (await listing.json()) as { items: DeliveryView[] };
        const scrape = await this.product.api('/metrics');
        read = { deliveries: items, metrics: await scrape.text() };
        assert.ok(items.length >= Math.min(posts, 1_000));
        assert.doesNotMatch(read.metrics, /^fixpoint_intake_backlog.* [1-9]/m);
      },
      { withinMs: 30_000, everyMs: 200 },
    ).catch(() => {}); // What is still missing is told by the checker.
    return read;
  }
}
