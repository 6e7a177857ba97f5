import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TaskReport } from '../contracts/task.ts';
import type { Clock } from '../platform/clock.ts';
import { clone } from '../tools/start/layout.ts';
import type { ProbeFigures, ProbeOrder } from './gateway-probe.ts';
import { MessagePort } from './message-port.ts';

export type GatewayPlace = {
  readonly id: string;
  readonly redisUrl: string;
  /** Holds the certificates and the issue register. */
  readonly certificates: string;
  /** Holds its log and `fixpoint.yaml`. */
  readonly folder: string;
  readonly ports: { readonly agents: number; readonly http: number; readonly metrics: number };
};

const token = 'a-token-of-the-bench-only';
const callbackSecret = `whsec_${Buffer.from('a secret of the bench only').toString('base64')}`;
const readyWithinMs = 60_000;
const refusalsMax = 20;
const refusedWaitMs = 500;
const probe = fileURLToPath(new URL('./gateway-probe.ts', import.meta.url));

/** A gateway in a process of its own, as users run it, on the bench's Redis. */
export class BenchGateway {
  readonly pid: number;
  readonly agentUrl: string;
  readonly url: string;
  readonly #clock: Clock;
  readonly #child: ChildProcess;
  readonly #probe: MessagePort<ProbeOrder, ProbeFigures>;

  private constructor(clock: Clock, child: ChildProcess, { ports }: GatewayPlace) {
    this.#clock = clock;
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.agentUrl = `wss://127.0.0.1:${ports.agents}`;
    this.url = `http://127.0.0.1:${ports.http}`;
    this.#probe = new MessagePort(child);
  }

  /** Resolves once it is ready. Throws if it does not come up; its log is in `folder`. */
  static async start(clock: Clock, place: GatewayPlace): Promise<BenchGateway> {
    const log = openSync(join(place.folder, `${place.id}.log`), 'a', 0o600);
    const child = spawn(
      process.execPath,
      ['--import', probe, join(clone, 'agent-gateway', 'main.ts')],
      { env: environmentOf(place), stdio: ['ignore', log, log, 'ipc'], serialization: 'json' },
    );
    const gateway = new BenchGateway(clock, child, place);
    const until = clock.monotonic() + readyWithinMs;
    while (!(await isReady(gateway.url))) {
      if (child.exitCode !== null || clock.monotonic() > until) {
        await gateway.end('SIGKILL');
        throw new Error(`gateway ${place.id} did not come up: see its log in ${place.folder}`);
      }
      await clock.sleep(50);
    }
    return gateway;
  }

  /** What only the process itself can know; `reset` counts event-loop delay anew. */
  ask(order: ProbeOrder): Promise<ProbeFigures> {
    return this.#probe.ask(order);
  }

  /**
   * Hands in a task, given as JSON, and again while it is answered 503, as every submitter does.
   * Throws at any other refusal. Resolves to how often it was refused.
   */
  async submit(key: string, body: string): Promise<number> {
    for (let refused = 0; ; refused += 1) {
      const answer = await fetch(new URL('/v1/tasks', this.url), {
        method: 'POST',
        headers: { ...authorization, 'content-type': 'application/json', 'idempotency-key': key },
        body,
      });
      const text = await answer.text();
      if (answer.ok) return refused;
      if (answer.status !== 503 || refused >= refusalsMax) {
        throw new Error(`the task was answered ${answer.status}: ${text.slice(0, 500)}`);
      }
      await this.#clock.sleep(refusedWaitMs);
    }
  }

  async report(taskId: string): Promise<TaskReport> {
    const answer = await fetch(new URL(`/v1/tasks/${taskId}`, this.url), {
      headers: authorization,
    });
    if (!answer.ok) throw new Error(`the gateway answered ${answer.status}`);
    return (await answer.json()) as TaskReport; // What the route promises.
  }

  /** How many agents it has online. */
  async agentsOnline(): Promise<number> {
    const answer = await fetch(new URL('/v1/agents?limit=1000', this.url), {
      headers: authorization,
    });
    const { items } = (await answer.json()) as { items: readonly { state: string }[] }; // Its route.
    return items.filter(({ state }) => state === 'online').length;
  }

  /** Ends it and resolves once it is gone; ended already, at once. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill(signal);
    await gone;
  }
}

const authorization = { authorization: `Bearer ${token}` };

/** Nothing of the caller's settings, so that every run measures the same. */
function environmentOf(place: GatewayPlace): Record<string, string> {
  const { ports } = place;
  return {
    PATH: process.env['PATH'] ?? '',
    REDIS_URL: place.redisUrl,
    FIXPOINT_GATEWAY_ID: place.id,
    FIXPOINT_GATEWAY_URL: `http://127.0.0.1:${ports.http}`,
    FIXPOINT_AGENT_LISTEN: `127.0.0.1:${ports.agents}`,
    FIXPOINT_GATEWAY_LISTEN: `127.0.0.1:${ports.http}`,
    FIXPOINT_METRICS_LISTEN: `127.0.0.1:${ports.metrics}`,
    FIXPOINT_CERTIFICATES_DIR: place.certificates,
    FIXPOINT_CONFIG: join(place.folder, 'fixpoint.yaml'),
    FIXPOINT_STATE_DIR: place.folder,
    FIXPOINT_TOKEN: token,
    FIXPOINT_GATEWAY_TOKEN: token,
    FIXPOINT_CALLBACK_SECRET: callbackSecret,
  };
}

/** Whether it answers so; a refused connection is a no like any other. */
async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(new URL('/readyz', url), { signal: AbortSignal.timeout(2_000) });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}
