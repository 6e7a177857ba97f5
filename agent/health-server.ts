import type { AddressInfo } from 'node:net';
import { type AgentHealth, metricsContentType, metricsText } from './agent-metrics.ts';

// An `import` of it reads each of its exports, and some of them load Node's `fetch` and WebSocket,
// 3 MiB that an agent has no use for.
const { createServer } = process.getBuiltinModule('node:http');

type Answer = { readonly status: number; readonly body: string; readonly type?: string };

export type HealthServer = { readonly port: number; close(): Promise<void> };

const requestMs = 5_000;
const headerBytes = 4 * 1024;

/**
 * `/livez`, `/readyz` and `/metrics` of one agent, for its own host. Live: the process answers.
 * Ready: a job that came now would start. Resolves once it listens; rejects if the port is taken.
 */
export async function serveHealth(of: {
  readonly host: string;
  readonly port: number;
  readonly health: () => AgentHealth;
}): Promise<HealthServer> {
  const server = createServer({ maxHeaderSize: headerBytes }, (request, response) => {
    const { status, body, type = 'text/plain' } = answerTo(request.url ?? '', of.health);
    response.writeHead(status, { 'content-type': type, connection: 'close' }).end(body);
  });
  server.requestTimeout = requestMs;
  server.maxConnections = 16;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(of.port, of.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port, // A TCP server's address is one.
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answerTo(url: string, health: () => AgentHealth): Answer {
  switch (url.split('?')[0]) {
    case '/livez':
      return { status: 200, body: 'ok\n' };
    case '/readyz':
      return readiness(health());
    case '/metrics': {
      const body = metricsText(health(), process.memoryUsage.rss());
      return { status: 200, body, type: metricsContentType };
    }
    default:
      return { status: 404, body: 'not found\n' };
  }
}

/** One line per condition; 503 when any of them does not hold. */
function readiness({ isConnected, hasLease, isStopped }: AgentHealth): Answer {
  const body = [
    `link: ${isConnected ? 'ok' : 'no session with a gateway'}`,
    `start lease: ${hasLease ? 'ok' : 'none'}`,
    `stop: ${isStopped ? 'the kill switch is on, or this host has a stop file' : 'ok'}`,
  ];
  const isReady = isConnected && hasLease && !isStopped;
  return { status: isReady ? 200 : 503, body: `${body.join('\n')}\n` };
}
