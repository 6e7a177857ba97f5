import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { callbackSecret, type GatewayHost } from './gateway-host.ts';
import { programEnvironment } from './program-environment.ts';

const main = join(import.meta.dirname, '../../agent-gateway/main.ts');

/** One more gateway of a host, in a process of its own, so that it can be killed. */
export class GatewayProcess {
  readonly agentPort: number;
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(child: ChildProcess, of: { agentPort: number; directory: string }) {
    this.#child = child;
    this.agentPort = of.agentPort;
    this.#directory = of.directory;
  }

  /** Resolves once it is ready. It knows the agents that the host has registered so far. */
  static async start(
    host: GatewayHost,
    of: { readonly gatewayId: string; readonly crashPoint?: string },
  ): Promise<GatewayProcess> {
    const directory = await mkdtemp(join(tmpdir(), 'fixpoint-gateway-process-'));
    await host.writeCertificates(directory);
    const [agentPort, http, metrics] = [await freePort(), await freePort(), await freePort()];
    const child = spawn(process.execPath, [main], {
      env: programEnvironment({
        REDIS_URL: host.redisServer.url,
        FIXPOINT_AGENT_LISTEN: `127.0.0.1:${agentPort}`,
        FIXPOINT_GATEWAY_LISTEN: `127.0.0.1:${http}`,
        FIXPOINT_METRICS_LISTEN: `127.0.0.1:${metrics}`,
        FIXPOINT_GATEWAY_ID: of.gatewayId,
        FIXPOINT_GATEWAY_URL: `http://127.0.0.1:${http}`,
        FIXPOINT_CALLBACK_SECRET: callbackSecret,
        FIXPOINT_CERTIFICATES_DIR: directory,
        FIXPOINT_STATE_DIR: directory,
        FIXPOINT_CRASH_POINT: of.crashPoint,
        FIXPOINT_LOG_LEVEL: 'error',
      }),
      stdio: 'ignore',
    });
    const gateway = new GatewayProcess(child, { agentPort, directory });
    await eventually(async () => {
      const answer = await fetch(`http://127.0.0.1:${metrics}/readyz`);
      if (!answer.ok) throw new Error(await answer.text());
    });
    return gateway;
  }

  /** As a power cut. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.gone();
  }

  /** Resolves once it has died, by itself or by `kill`. */
  async gone(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      await once(this.#child, 'exit');
    }
    await rm(this.#directory, { recursive: true, force: true });
  }
}
