import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import { limits } from '../contracts/limits.ts';
import { invariant } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { GatewayCertificates } from './certificate-folder.ts';
import { agentIdOfCertificate, generationOfCertificate } from './certificates.ts';
import type { Peer } from './enrolment.ts';
import { HandshakeQueue } from './handshake-queue.ts';

export type AgentListenerOptions = {
  readonly host: string;
  readonly port: number;
  readonly certificates: GatewayCertificates;
  /**
   * A link whose peer has proved to be an agent; nothing was said on it yet. Resolves when it has
   * opened or failed to, and never rejects: so many open at once.
   */
  readonly onLink: (socket: WebSocket, peer: Peer) => Promise<void>;
  /** Any other request, also of strangers. Never rejects. */
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  readonly onRefused: (reason: 'no_agent_certificate' | 'not_found' | 'too_many') => void;
  readonly clock: Clock;
};

export type AgentListener = {
  readonly port: number;
  /** Handshakes from now on are made with these; links that are open stay. */
  use(certificates: GatewayCertificates): void;
  /** Takes no more links; resolves when the last one is gone, by force after `withinMs`. */
  close(withinMs: number): Promise<void>;
};

const path = '/v1/agent';
const handshakeMs = 5_000;

/**
 * Where agents connect (design 5.7): TLS 1.3, then a WebSocket for who proves to be an agent by a
 * certificate of our own authority. TLS itself lets strangers in, because they enrol here.
 * Handshakes that stall are ended here, because Node ends none by itself: neither without a
 * `tlsClientError` handler nor, for headers, before 30 s. Resolves once it listens.
 */
export async function listenForAgents(of: AgentListenerOptions): Promise<AgentListener> {
  const server = createServer({
    // Nothing is read from a connection before its turn.
    pauseOnConnect: true,
    ...secureContextOf(of.certificates),
    requestCert: true,
    rejectUnauthorized: false,
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
  const [beginTls] = server.listeners('connection');
  invariant(beginTls !== undefined, 'a TLS server begins TLS when it is given a connection');
  server.removeAllListeners('connection');
  const queue = new HandshakeQueue({
    clock: of.clock,
    begin: (socket) => beginTls.call(server, socket),
    onShed: () => of.onRefused('too_many'),
  });
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    socket.on('error', () => socket.destroy());
    queue.take(socket);
  });
  let opening = 0;
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.on('request', (request, response) => void of.onRequest(request, response));
  server.on('upgrade', (request, socket: Duplex, head) => {
    socket.on('error', () => socket.destroy());
    // The server is a TLS server: its upgraded sockets are TLS sockets.
    const peer = peerOf(socket as TLSSocket, of.clock);
    const refuse = (status: string, reason: Parameters<typeof of.onRefused>[0]) => {
      of.onRefused(reason);
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`, () => socket.destroy());
    };
    if (request.url !== path) return refuse('404 Not Found', 'not_found');
    if (peer === null) return refuse('403 Forbidden', 'no_agent_certificate');
    if (opening >= limits.handshakesMax) return refuse('503 Service Unavailable', 'too_many');
    sockets.handleUpgrade(request, socket, head, (link) => {
      opening += 1;
      // An error is always followed by `close`, which is where the session ends.
      link.on('error', () => link.terminate());
      void of.onLink(link, peer).finally(() => {
        opening -= 1;
        queue.ended(socket as TLSSocket);
      });
    });
  });
  await listen(server, of);
  return {
    port: (server.address() as AddressInfo).port, // A TCP server's address is one.
    use: (certificates) => server.setSecureContext(secureContextOf(certificates)),
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

const secureContextOf = ({ authorities, own }: GatewayCertificates) => ({
  ca: [...authorities],
  cert: own.certificate,
  key: own.key,
  minVersion: 'TLSv1.3' as const,
});

/**
 * The agent that a link's peer has proved to be: by a certificate that an authority of ours signed
 * and that is valid now, also where an old session was resumed. Null for everybody else.
 */
export function peerOf(socket: TLSSocket, clock: Pick<Clock, 'now'>): Peer | null {
  const certificate = socket.getPeerX509Certificate();
  if (!socket.authorized || certificate === undefined) return null;
  const certificateEndsAt = Date.parse(certificate.validTo);
  if (certificateEndsAt < clock.now()) return null;
  const agentId = agentIdOfCertificate(certificate);
  const generation = generationOfCertificate(certificate);
  return agentId === null ? null : { agentId, generation, certificateEndsAt };
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
