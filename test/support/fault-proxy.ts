import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '../../platform/clock.ts';

/** What happens to the bytes of one direction, until it is changed. */
export type Fault =
  | { readonly kind: 'none' }
  /** Each piece waits `ms`, give or take `jitterMs`; order is kept. */
  | { readonly kind: 'delay'; readonly ms: number; readonly jitterMs: number }
  /** Nothing passes and nothing closes, as behind a firewall that forgot the connection. */
  | { readonly kind: 'hold' }
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  /** The last byte of each piece is another. */
  | { readonly kind: 'corrupt' };

type Directions = { readonly toGateway: Fault; readonly toAgent: Fault };
type Pair = { readonly agent: Socket; readonly gateway: Socket };

const none: Fault = { kind: 'none' };
const lookMs = 10;
const slowStepMs = 50;

/** A network between agents and a gateway that breaks as a test wants it. It sees TLS, as a network does. */
export class FaultProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #faults: Directions = { toGateway: none, toAgent: none };
  #isOpen = true;
  /** Connections that were ever made. */
  connections = 0;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port; // A TCP server's address is one.
  }

  static async start(gatewayPort: number): Promise<FaultProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new FaultProxy(server);
    server.on('connection', (agent) => proxy.#join(agent, gatewayPort));
    return proxy;
  }

  /** Both directions, of connections that are there and of those to come. */
  set(of: Partial<Directions>): void {
    this.#faults = { toGateway: none, toAgent: none, ...of };
  }

  heal(): void {
    this.set({});
    this.#isOpen = true;
  }

  /** Ends every connection at once, whatever was on its way. */
  cut(): void {
    for (const { agent, gateway } of this.#pairs) {
      // Not by `resetAndDestroy`: on a socket that is being shut down it leaves Node a request that
      // never ends, and the process spins when it should exit.
      agent.destroy();
      gateway.destroy();
    }
  }

  /** Cuts, and lets nobody connect until `heal`. */
  close(): void {
    this.#isOpen = false;
    this.cut();
  }

  async stop(): Promise<void> {
    this.close();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #join(agent: Socket, gatewayPort: number): void {
    if (!this.#isOpen) {
      agent.destroy();
      return;
    }
    this.connections += 1;
    const pair = { agent, gateway: connect(gatewayPort, '127.0.0.1') };
    this.#pairs.add(pair);
    const forget = () => {
      if (agent.closed && pair.gateway.closed) this.#pairs.delete(pair);
    };
    agent.on('close', forget);
    pair.gateway.on('close', forget);
    void this.#carry(pair.agent, pair.gateway, 'toGateway');
    void this.#carry(pair.gateway, pair.agent, 'toAgent');
  }

  /** Never rejects: a connection that fails ends its other half. */
  async #carry(from: Socket, to: Socket, direction: keyof Directions): Promise<void> {
    from.on('error', () => from.destroy());
    try {
      for await (const piece of from) await this.#pass(piece as Buffer, to, direction); // No encoding is set.
      to.end();
    } catch {
      to.destroy(); // Reset by a peer or by `cut`, which the other half is to feel too.
    }
  }

  async #pass(piece: Buffer, to: Socket, direction: keyof Directions): Promise<void> {
    while (this.#faults[direction].kind === 'hold' && !to.destroyed) {
      await systemClock.sleep(lookMs);
    }
    const fault = this.#faults[direction];
    switch (fault.kind) {
      case 'delay': {
        const ms = fault.ms + (systemClock.random() * 2 - 1) * fault.jitterMs;
        await systemClock.sleep(Math.max(0, ms));
        return write(to, piece);
      }
      case 'slow':
        return this.#trickle(piece, to, direction);
      case 'corrupt':
        piece.writeUInt8(piece.readUInt8(piece.length - 1) ^ 1, piece.length - 1);
        return write(to, piece);
      default:
        return write(to, piece);
    }
  }

  async #trickle(piece: Buffer, to: Socket, direction: keyof Directions): Promise<void> {
    for (let at = 0; at < piece.length && !to.destroyed; ) {
      const fault = this.#faults[direction];
      if (fault.kind !== 'slow') return write(to, piece.subarray(at));
      const bytes = Math.max(1, Math.round((fault.bytesPerSecond * slowStepMs) / 1_000));
      await write(to, piece.subarray(at, at + bytes));
      at += bytes;
      await systemClock.sleep(slowStepMs);
    }
  }
}

function write(to: Socket, piece: Buffer): Promise<void> {
  if (to.destroyed || to.write(piece)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      to.off('drain', done).off('close', done);
      resolve();
    };
    to.on('drain', done).on('close', done);
  });
}
