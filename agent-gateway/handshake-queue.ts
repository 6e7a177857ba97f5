import type { Socket } from 'node:net';
import { limits } from '../contracts/limits.ts';
import type { Clock, Timer } from '../platform/clock.ts';

export type HandshakeQueueDeps = {
  readonly clock: Clock;
  /** Begins TLS on a connection of which nothing was read yet. */
  readonly begin: (socket: Socket) => void;
  /** A connection was ended before anything was done for it. */
  readonly onShed: () => void;
};

type Waiting = { readonly socket: Socket; readonly sinceMs: number };
type Place = Pick<Socket, 'remoteAddress' | 'remotePort'>;

/**
 * Connections on their way to a link, in the order they came in, `handshakesAtOnce` at a time. When all
 * agents of a dead gateway come at once, each handshake that is begun is so ended in time; begun all
 * together, most would end too late for whoever waits for them, and come again. Who cannot be taken
 * soon is told so before it costs anything, and comes back by its own back-off.
 */
export class HandshakeQueue {
  readonly #deps: HandshakeQueueDeps;
  readonly #waiting = new Set<Waiting>();
  readonly #under = new Map<string, Timer>();

  constructor(deps: HandshakeQueueDeps) {
    this.#deps = deps;
  }

  /** Begins TLS on it now or in its turn, or ends it. */
  take(socket: Socket): void {
    if (this.#waiting.size >= limits.handshakesWaitingMax) {
      this.#shed(socket);
      return;
    }
    const entry = { socket, sinceMs: this.#deps.clock.monotonic() };
    this.#waiting.add(entry);
    socket.once('close', () => {
      this.#waiting.delete(entry);
    });
    this.#goOn();
  }

  /** Its link is open, or it came to nothing: the next one may begin. May be called again. */
  ended(of: Place): void {
    const name = nameOf(of);
    const timer = this.#under.get(name);
    if (timer === undefined) return;
    timer.cancel();
    this.#under.delete(name);
    this.#goOn();
  }

  #goOn(): void {
    for (const entry of this.#waiting) {
      if (this.#under.size >= limits.handshakesAtOnce) return;
      this.#waiting.delete(entry);
      const waitedMs = this.#deps.clock.monotonic() - entry.sinceMs;
      if (waitedMs > limits.handshakeWaitMs) this.#shed(entry.socket);
      else this.#begin(entry.socket);
    }
  }

  /** A peer that says nothing keeps others waiting for `handshakePatienceMs` only. */
  #begin(socket: Socket): void {
    const place = { remoteAddress: socket.remoteAddress, remotePort: socket.remotePort };
    // Its peer has gone meanwhile; nothing was read, so nobody has noticed.
    if (place.remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    const timer = this.#deps.clock.after(limits.handshakePatienceMs, () => this.ended(place));
    this.#under.set(nameOf(place), timer);
    socket.once('close', () => this.ended(place));
    this.#deps.begin(socket);
  }

  #shed(socket: Socket): void {
    socket.resetAndDestroy();
    this.#deps.onShed();
  }
}

const nameOf = ({ remoteAddress, remotePort }: Place): string => `${remoteAddress} ${remotePort}`;
