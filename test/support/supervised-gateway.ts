import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentToken, agentTokenAnswer, decodeAgentToken } from '../../contracts/enrolment.ts';
import { type AgentView, agentView } from '../../contracts/task.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { callbackSecret, type GatewayHost } from './gateway-host.ts';
import { Supervised } from './supervised.ts';

const main = join(import.meta.dirname, '../../agent-gateway/main.ts');
const bearer = 'a-token-of-a-gateway-of-its-own';

/** A gateway in a process of its own on the Redis, the certificates and the register of a host. */
export class SupervisedGateway {
  readonly process: Supervised;
  readonly agentPort: number;
  readonly #url: string;
  readonly #folder: string;

  private constructor(of: {
    process: Supervised;
    agentPort: number;
    url: string;
    folder: string;
  }) {
    this.process = of.process;
    this.agentPort = of.agentPort;
    this.#url = of.url;
    this.#folder = of.folder;
  }

  /** Resolves once it answers. The host's own gateway may go on beside it. */
  static async start(
    host: GatewayHost,
    of: { readonly gatewayId: string; readonly clocks?: Readonly<Record<string, string>> },
  ): Promise<SupervisedGateway> {
    const folder = mkdtempSync(join(tmpdir(), 'fixpoint-supervised-gateway-'));
    const [agentPort, http, metrics] = [await freePort(), await freePort(), await freePort()];
    const config = join(folder, 'fixpoint.yaml');
    writeFileSync(config, JSON.stringify({ clocks: of.clocks ?? {} }));
    const process = new Supervised({
      ...{ program: 'gateway', main, folder },
      environment: {
        ...{ REDIS_URL: host.redisServer.url, FIXPOINT_CONFIG: config },
        FIXPOINT_AGENT_LISTEN: `127.0.0.1:${agentPort}`,
        FIXPOINT_GATEWAY_LISTEN: `127.0.0.1:${http}`,
        FIXPOINT_METRICS_LISTEN: `127.0.0.1:${metrics}`,
        ...{ FIXPOINT_GATEWAY_ID: of.gatewayId, FIXPOINT_TOKEN: bearer },
        FIXPOINT_CALLBACK_SECRET: callbackSecret,
        ...{ FIXPOINT_CERTIFICATES_DIR: host.directory, FIXPOINT_STATE_DIR: host.directory },
      },
    });
    const url = `http://127.0.0.1:${http}`;
    const gateway = new SupervisedGateway({ process, agentPort, url, folder });
    await gateway.isReady();
    return gateway;
  }

  isReady(): Promise<void> {
    return eventually(async () => {
      const answer = await fetch(`${this.#url}/readyz`);
      if (!answer.ok) throw new Error(await answer.text());
    });
  }

  /** Rejects with what it answered unless that is a success, and if it does not answer. */
  async call(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<unknown> {
    const answer = await fetch(`${this.#url}${path}`, {
      headers: {
        authorization: `Bearer ${bearer}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (answer.ok) return JSON.parse(text);
    throw new Error(`${answer.status} ${text}`);
  }

  /** An enrolment token as its text and as what it holds. */
  async token(body: object): Promise<{ readonly text: string; readonly token: AgentToken }> {
    const answer = await this.call('/v1/agent-tokens', { ttlMs: 60_000, ...body });
    const { token: text } = agentTokenAnswer.parse(answer);
    const token = decodeAgentToken(text);
    if (token === null) throw new Error('the gateway made a token that is none');
    return { text, token };
  }

  async agent(name: string): Promise<AgentView> {
    return agentView.parse(await this.call(`/v1/agents/${name}`));
  }

  async stop(): Promise<void> {
    await this.process.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
