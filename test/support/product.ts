import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RemediationDetail, RemediationRow } from '../../contracts/http.ts';
import type { RunFile } from '../../contracts/run-file.ts';
import { embeddedPortsFrom } from '../../tools/start/ports.ts';
import { eventually } from './eventually.ts';

const clone = fileURLToPath(new URL('../../', import.meta.url));
const startWithinMs = 90_000;

/** Clocks that let a test see in seconds what takes minutes. */
const quickClocks = {
  notAfter: '20s',
  pollAfterMin: '2s',
  batchGrace: '10s',
  probeRetry: '500ms',
  lingerMin: '1s',
  intakeClaim: '2s',
  janitor: '2s',
  controlRefresh: '500ms',
  admitTry: '1s',
  admitRetry: '500ms',
  rebuildLook: '200ms',
  rebuildSettle: '1200ms',
};

export type ProductOptions = {
  /** File name → text; they replace the shipped ones. */
  readonly policies?: Readonly<Record<string, string>>;
  readonly runbooks?: Readonly<Record<string, string>>;
  readonly clocks?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Local agents; three where nothing is said. */
  readonly agents?: number;
  /** Another clone than this one. */
  readonly root?: string;
};

/** The whole product as `npm start` runs it, in folders and on ports of its own. */
export class RunningProduct {
  readonly folder: string;
  readonly state: string;
  /** Arm a part here: a file `{program}.{crash point}` (platform/crash-point.ts). */
  readonly crashFolder: string;
  /** The settings it was started with: ports and folders of its own. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #process: ChildProcess;
  readonly #output: string[];

  constructor(of: {
    readonly folder: string;
    readonly environment: Readonly<Record<string, string>>;
    readonly process: ChildProcess;
    readonly output: string[];
  }) {
    this.folder = of.folder;
    this.environment = of.environment;
    this.state = join(of.folder, 'state');
    this.crashFolder = join(of.folder, 'crash');
    this.#process = of.process;
    this.#output = of.output;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  output(): string {
    return this.#output.join('');
  }

  run(): RunFile {
    return JSON.parse(readFileSync(join(this.state, 'run.json'), 'utf8')) as RunFile; // Written by start.
  }

  pidOf(name: string): number {
    const pid = this.run().pids[name];
    if (pid === undefined) throw new Error(`${name} does not run`);
    return pid;
  }

  demoFolder(agent: string): string {
    return join(this.state, 'demo', agent);
  }

  arm(program: string, point: string): void {
    writeFileSync(join(this.crashFolder, `${program}.${point}`), '');
  }

  /** A call of the api as an operator; rejects if nobody answers. */
  async api(path: string, init: RequestInit = {}): Promise<Response> {
    const { api, token } = this.run();
    return fetch(new URL(path, api.url), {
      signal: AbortSignal.timeout(10_000),
      ...init,
      headers: { authorization: `Bearer ${token}`, ...init.headers },
    });
  }

  /** Posts a body as Alertmanager would. */
  async webhook(body: unknown): Promise<Response> {
    const secret = readFileSync(join(this.state, 'secrets', 'webhook-alertmanager'), 'utf8').trim();
    return this.api('/v1/webhooks/alertmanager', {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  async remediations(): Promise<readonly RemediationRow[]> {
    const answer = await this.api('/v1/remediations?limit=500');
    const { items } = (await answer.json()) as { items: RemediationRow[] };
    return items;
  }

  async progress(id: string): Promise<RemediationDetail['progress']> {
    const answer = await this.api(`/v1/remediations/${encodeURIComponent(id)}`);
    return ((await answer.json()) as RemediationDetail).progress;
  }

  /** The one repair that `matches`, once it has ended. */
  async ended(
    matches: (row: RemediationRow) => boolean,
    withinMs = 60_000,
  ): Promise<RemediationRow> {
    return eventually(
      async () => {
        const found = (await this.remediations()).filter(matches);
        const [row] = found;
        if (found.length !== 1 || row === undefined || row.endedAt === null) {
          throw new Error(`not one ended repair yet: ${JSON.stringify(found)}`);
        }
        return row;
      },
      { withinMs, everyMs: 200 },
    );
  }

  /** Ctrl-C, and what `npm start` then exits with. Its folders go, unless they are to be kept. */
  async stop(of: { readonly keep?: boolean } = {}): Promise<number | null> {
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGINT');
      await ended(this.#process);
    }
    if (!of.keep) rmSync(this.folder, { recursive: true, force: true });
    return this.#process.exitCode;
  }
}

/** Starts a product and waits until it says what to try. Its folders go when it is stopped. */
export async function startProduct(options: ProductOptions = {}): Promise<RunningProduct> {
  const folder = mkdtempSync(join(tmpdir(), 'fixpoint-product-'));
  const output: string[] = [];
  const environment = { ...(await environmentIn(folder, options)), ...options.env };
  const root = options.root ?? clone;
  const child = spawn(process.execPath, [join(root, 'tools', 'start.ts')], {
    cwd: root,
    env: { ...inherited(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  const product = new RunningProduct({ folder, environment, process: child, output });
  try {
    await eventually(
      () => {
        if (child.exitCode !== null) throw new Error(`start ended: ${product.output()}`);
        if (!/fixpoint.*alert send/i.test(product.output())) throw new Error(product.output());
      },
      { withinMs: startWithinMs, everyMs: 100 },
    );
  } catch (error) {
    child.kill('SIGINT');
    await ended(child);
    throw error;
  }
  return product;
}

const inherited = (): Record<string, string> =>
  Object.fromEntries(
    ['PATH', 'HOME', 'LANG', 'NODE_COMPILE_CACHE'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

async function environmentIn(
  folder: string,
  options: ProductOptions,
): Promise<Record<string, string>> {
  const write = (name: string, files: Readonly<Record<string, string>>): string => {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
    return path;
  };
  const config = { clocks: { ...quickClocks, ...options.clocks } };
  return {
    ...(await embeddedPortsFrom(20_000 + (process.pid % 500) * 20, options.agents)),
    FIXPOINT_STATE_DIR: join(folder, 'state'),
    FIXPOINT_CONFIG: join(
      write('config', { 'fixpoint.yaml': JSON.stringify(config) }),
      'fixpoint.yaml',
    ),
    FIXPOINT_CRASH_POINT: write('crash', {}),
    ...(options.policies === undefined
      ? {}
      : { FIXPOINT_POLICY_DIR: write('policies', options.policies) }),
    ...(options.runbooks === undefined
      ? {}
      : { FIXPOINT_RUNBOOK_DIR: write('runbooks', options.runbooks) }),
  };
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}
