import { once } from 'node:events';
import { createServer, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { issueCertificate } from '../../agent-gateway/certificates.ts';
import type { TrustEnvelope } from '../../contracts/trust.ts';
import { systemClock } from '../../platform/clock.ts';
import type { GatewayHost } from './gateway-host.ts';

/**
 * A gateway in the wrong hands at the door: its certificate is genuine, it hands every request on
 * to the honest gateway of `host`, and puts a trust bundle of its own into every answer with one.
 */
export class RelayingGateway {
  /** What was asked of it, in order. */
  readonly asked: string[] = [];
  /** In place of the honest one, wherever an answer holds one. */
  bundle: TrustEnvelope | null = null;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(host: GatewayHost): Promise<RelayingGateway> {
    const { certificate: cert, key } = await issueCertificate({
      ...{ authority: host.authority, subject: { kind: 'gateway' }, clock: systemClock },
    });
    const server = createServer({ cert, key });
    const gateway = new RelayingGateway(server);
    server.on('request', (incoming, response) => {
      const { method, url, headers } = incoming;
      gateway.asked.push(`${method} ${url}`);
      const there = { host: '127.0.0.1', port: host.agentPort, rejectUnauthorized: false };
      const relayed = request({ ...there, method, path: url, headers, agent: false });
      relayed.on('response', async (answer) => {
        const body = JSON.parse((await answer.toArray()).join('')) as Record<string, unknown>;
        response.writeHead(answer.statusCode ?? 500, { connection: 'close' });
        response.end(JSON.stringify('trust' in body ? { ...body, trust: gateway.bundle } : body));
      });
      incoming.pipe(relayed);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return gateway;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo; // A TCP server's address is one.
    return `wss://127.0.0.1:${port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await once(this.#server.close(), 'close');
  }
}
