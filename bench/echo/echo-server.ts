// The floor of a fan-out: nothing but `ws` over mutual TLS, one command of 300 B to each link and
// one reply of 200 B back, in a process of its own as a gateway is. Told by its parent what to do.

import { createServer } from 'node:https';
import { type WebSocket, WebSocketServer } from 'ws';

export type EchoServerOrder =
  | {
      readonly kind: 'listen';
      readonly port: number;
      readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
    }
  | { readonly kind: 'figures' }
  /** Sends the command on every link and waits for every reply. */
  | { readonly kind: 'round' };

export type EchoFigures = {
  readonly links: number;
  readonly residentBytes: number;
  readonly cpuMs: number;
  /** Milliseconds from the first send to each reply of the last round, in order. */
  readonly repliesMs: readonly number[];
};

const command = Buffer.alloc(300, 'c');
const links = new Set<WebSocket>();
let repliesMs: number[] = [];
let onReply: () => void = () => {};

function listen(of: Extract<EchoServerOrder, { kind: 'listen' }>): Promise<void> {
  const server = createServer({ ...of.tls, minVersion: 'TLSv1.3', requestCert: true });
  const sockets = new WebSocketServer({ server, perMessageDeflate: false, clientTracking: false });
  sockets.on('connection', (socket) => {
    links.add(socket);
    socket.on('close', () => links.delete(socket));
    socket.on('error', () => socket.terminate());
    socket.on('message', () => onReply());
  });
  return new Promise((resolve) => server.listen(of.port, '127.0.0.1', 4_096, resolve));
}

function round(): Promise<void> {
  const expected = links.size;
  repliesMs = [];
  return new Promise((resolve) => {
    const from = performance.now();
    onReply = () => {
      repliesMs.push(performance.now() - from);
      if (repliesMs.length === expected) resolve();
    };
    for (const socket of links) socket.send(command);
  });
}

function figures(): EchoFigures {
  const { user, system } = process.cpuUsage();
  return {
    links: links.size,
    residentBytes: process.memoryUsage.rss(),
    cpuMs: (user + system) / 1_000,
    repliesMs,
  };
}

async function answerTo(order: EchoServerOrder): Promise<EchoFigures> {
  if (order.kind === 'listen') await listen(order);
  if (order.kind === 'round') await round();
  return figures();
}

process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => {}); // The parent ends us in order.
process.on('message', ({ id, order }: { id: number; order: EchoServerOrder }) => {
  answerTo(order).then(
    (answer) => process.send?.({ id, answer }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  );
});
