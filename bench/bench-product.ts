import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeliveryView } from '../contracts/http.ts';
import type { RunFile } from '../contracts/run-file.ts';
import type { Clock } from '../platform/clock.ts';
import { clone } from '../tools/start/layout.ts';
import { embeddedPortsFrom } from '../tools/start/ports.ts';
import { type LoopFolders, writeLoopPolicy } from './loop-policy.ts';

const startWithinMs = 120_000;
const refusalsMax = 30;
// Below those that Linux hands to outgoing connections: such a one could take a port in between.
const portsFrom = 12_000 + (process.pid % 400) * 20;

/** The whole product as `npm start` runs it, in a folder and on ports of its own, with the policy of the bench. */
export class BenchProduct {
  /** Everything of it, logs and databases too. */
  readonly folder: string;
  readonly run: RunFile;
  readonly state: string;
  readonly folders: LoopFolders;
  /** Local agents; a host has one repair at a time. */
  readonly agents: number;
  readonly #process: ChildProcess;
  readonly #webhookSecret: string;

  constructor(of: {
    folder: string;
    process: ChildProcess;
    folders: LoopFolders;
    agents: number;
  }) {
    this.agents = of.agents;
    this.folder = of.folder;
    this.#process = of.process;
    this.folders = of.folders;
    this.state = join(of.folder, 'state');
    // Written by the start that has just said it is ready.
    this.run = JSON.parse(readFileSync(join(this.state, 'run.json'), 'utf8')) as RunFile;
    const secret = join(this.state, 'secrets', 'webhook-alertmanager');
    this.#webhookSecret = readFileSync(secret, 'utf8').trim();
  }

  /**
   * Posts a body as Alertmanager would: again after a second while it is answered 503. Returns how
   * often it was. Throws at any other answer but 200, and after 30 s.
   */
  async webhook(clock: Clock, body: string): Promise<number> {
    for (let refused = 0; ; refused += 1) {
      const { status, text } = await this.#post(body);
      if (status === 200) return refused;
      if (status !== 503 || refused >= refusalsMax) {
        throw new Error(`the webhook was answered ${status}: ${text}`);
      }
      await clock.sleep(1_000);
    }
  }

  async #post(body: string): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await fetch(new URL('/v1/webhooks/alertmanager', this.run.api.url), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.#webhookSecret}`,
        'content-type': 'application/json',
      },
      body,
      signal: AbortSignal.timeout(10_000),
    });
    return { status: answer.status, text: await answer.text() };
  }

  /** What became of the latest `limit` deliveries. */
  async deliveries(limit: number): Promise<readonly DeliveryView[]> {
    const answer = await fetch(new URL(`/v1/alerts?limit=${limit}`, this.run.api.url), {
      headers: { authorization: `Bearer ${this.run.token}` },
      signal: AbortSignal.timeout(10_000),
    });
    if (!answer.ok) throw new Error(`the api answered ${answer.status}`);
    return ((await answer.json()) as { items: readonly DeliveryView[] }).items; // Our own api.
  }

  /** Stops all of it, as Ctrl-C would, and removes its folder unless it is to be looked into. */
  async stop(of: { readonly keep: boolean }): Promise<void> {
    await end(this.#process);
    if (!of.keep) rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Starts a product and waits until all of it is up. Throws with what it said when it does not come up. */
export async function startBenchProduct(clock: Clock, agents: number): Promise<BenchProduct> {
  const folder = mkdtempSync(join(tmpdir(), 'fixpoint-bench-'));
  const folders = writeLoopPolicy(folder);
  const child = spawn(process.execPath, [join(clone, 'tools', 'start.ts')], {
    cwd: clone,
    env: { ...inherited(), ...(await environmentIn(folder, folders, agents)) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  }
  const until = clock.monotonic() + startWithinMs;
  while (!/fixpoint runs \(/i.test(said)) {
    if (child.exitCode !== null || clock.monotonic() > until) {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
      throw new Error(`the product did not start: ${said}`);
    }
    await clock.sleep(50);
  }
  return new BenchProduct({ folder, process: child, folders, agents });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGINT');
  await gone;
}

/** Nothing of the caller's settings: what is measured is the product as it is shipped. */
const inherited = (): Record<string, string> =>
  Object.fromEntries(
    ['PATH', 'HOME', 'LANG', 'TMPDIR'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

async function environmentIn(
  folder: string,
  folders: LoopFolders,
  agents: number,
): Promise<Record<string, string>> {
  return {
    ...(await embeddedPortsFrom(portsFrom, agents)),
    FIXPOINT_STATE_DIR: join(folder, 'state'),
    FIXPOINT_POLICY_DIR: folders.policies,
    FIXPOINT_RUNBOOK_DIR: folders.runbooks,
  };
}
