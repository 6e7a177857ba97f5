import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import { limits } from '../contracts/limits.ts';
import type { Clock } from '../platform/clock.ts';
import { agentIdOfCertificate } from './certificates.ts';

export type AgentListenerOptions = {
  readonly host: string;
  readonly port: number;
  /** PEM. Only certificates of `ca` are let in. */
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string };
  /**
   * A link whose peer has proved to be `agentId`; nothing was said on it yet. Resolves when it has
   * opened or failed to, and never rejects: so many open at once.
   */
  readonly onLink: (socket: WebSocket, agentId: string) => Promise<void>;
  readonly onRefused: (reason: 'no_agent_certificate' | 'not_found' | 'too_many') => void;
  readonly clock: Clock;
};

export type AgentListener = {
  readonly port: number;
  /** Takes no more links; resolves when the last one is gone, by force after `withinMs`. */
  close(withinMs: number): Promise<void>;
};

const path = '/v1/agent';
const handshakeMs = 5_000;

/**
 * Where agents connect (design 5.7): TLS 1.3 with client certificates of our own authority, then a
 * WebSocket. Handshakes that stall are ended here, because Node ends none by itself: neither
 * without a `tlsClientError` handler nor, for headers, before 30 s. Resolves once it listens.
 */
export async function listenForAgents(of: AgentListenerOptions): Promise<AgentListener> {
  const server = createServer({
    ca: of.tls.ca,
    cert: of.tls.certificate,
    key: of.tls.key,
    minVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: handshakeMs,
    headersTimeout: handshakeMs,
    requestTimeout: handshakeMs,
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: 8 * 1024,
  });
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.frameBytes,
    perMessageDeflate: false,
    clientTracking: false,
  });
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  let opening = 0;
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.on('request', (_request, response) => response.writeHead(426).end());
  server.on('upgrade', (request, socket: Duplex, head) => {
    socket.on('error', () => socket.destroy());
    const agentId = agentIdOf(socket);
    const refuse = (status: string, reason: Parameters<typeof of.onRefused>[0]) => {
      of.onRefused(reason);
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`, () => socket.destroy());
    };
    if (request.url !== path) return refuse('404 Not Found', 'not_found');
    if (agentId === null) return refuse('403 Forbidden', 'no_agent_certificate');
    if (opening >= limits.handshakesMax) return refuse('503 Service Unavailable', 'too_many');
    sockets.handleUpgrade(request, socket, head, (link) => {
      opening += 1;
      // An error is always followed by `close`, which is where the session ends.
      link.on('error', () => link.terminate());
      void of.onLink(link, agentId).finally(() => {
        opening -= 1;
      });
    });
  });
  await listen(server, of);
  return {
    port: (server.address() as AddressInfo).port, // A TCP server's address is one.
    close: (withinMs) =>
      new Promise((resolve) => {
        const timer = of.clock.after(withinMs, () => {
          for (const socket of connections) socket.destroy();
        });
        server.close(() => {
          timer.cancel();
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

function agentIdOf(socket: Duplex): string | null {
  // The server is a TLS server: its upgraded sockets are TLS sockets.
  const certificate = (socket as TLSSocket).getPeerX509Certificate();
  return certificate === undefined ? null : agentIdOfCertificate(certificate);
}

function listen(server: Server, of: { readonly host: string; readonly port: number }) {
  return new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(of.port, of.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
