import { createSecureContext, type SecureContext } from 'node:tls';
import { WebSocket } from 'ws';
import {
  type AgentFrame,
  encodeOutput,
  encodeOutputAnswer,
  type GatewayFrame,
} from '../contracts/frames.ts';
import { limits } from '../contracts/limits.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { Backoff } from './backoff.ts';
import { readGatewayFrame } from './gateway-frame-reader.ts';
import { checkServerIdentity } from './gateway-identity.ts';
import { anchorsOf, type Identity } from './identity-files.ts';
import type { Link } from './output-spool.ts';
import { WordLine } from './word-line.ts';

type Welcome = Extract<GatewayFrame, { type: 'welcome' }>;
type SessionFrame = Exclude<GatewayFrame, { type: 'welcome' } | { type: 'bye' }>;

export type ConnectionDeps = {
  /** Looked at anew for every link: its certificate is renewed while the agent runs. */
  readonly identity: Identity;
  /** Of the trust bundle; PEM. */
  readonly authorities: () => readonly string[];
  /** `wss://host:port` of every gateway; any of them will do. */
  readonly gateways: readonly string[];
  /** Where the link goes out from; without it the host chooses. Lets many agents share one host. */
  readonly localAddress?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly hello: () => AgentFrame;
  readonly onWelcome: (link: Link, welcome: Welcome) => void;
  readonly onFrame: (frame: SessionFrame) => void;
  readonly onClose: () => void;
};

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'waiting'; readonly wait: AbortController }
  | { readonly kind: 'greeting'; readonly socket: WebSocket; readonly timer: Timer }
  | { readonly kind: 'open'; readonly socket: WebSocket }
  | { readonly kind: 'stopped' };

/** Longer than a gateway lets anybody wait (`handshakeWaitMs`) and then takes. */
const handshakeMs = 20_000;
const welcomeMs = 5_000;
const byeMs = 1_000;
const badFrame = 1008;

/**
 * The agent's one link: mutual TLS 1.3 to any of the gateways, hello, welcome, frames, and again
 * with back-off whenever it ends. A frame that is none ends the session.
 */
export class Connection {
  readonly #deps: ConnectionDeps;
  readonly #backoff: Backoff;
  #state: State = { kind: 'idle' };
  #round: string[] = [];
  #retryAfterMs = 0;
  #tls: { readonly of: string; readonly context: SecureContext } | undefined;

  constructor(deps: ConnectionDeps) {
    this.#deps = deps;
    this.#backoff = new Backoff(deps.clock);
  }

  /** Whether a gateway has welcomed it and the link stands. */
  get isOpen(): boolean {
    return this.#state.kind === 'open';
  }

  /** Connects, and goes on connecting until `stop`. Call once. */
  start(): void {
    if (this.#state.kind === 'idle') this.#connect();
  }

  /** Says good-bye and closes. */
  async stop(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: 'stopped' };
    if (state.kind === 'waiting') state.wait.abort();
    if (state.kind === 'greeting') state.timer.cancel();
    if (state.kind !== 'open' && state.kind !== 'greeting') return;
    const { socket } = state;
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    if (state.kind === 'open') {
      sendFrame(socket, { type: 'bye', reason: 'the agent is stopping' });
      socket.close(1000);
    } else socket.terminate();
    const timer = this.#deps.clock.after(byeMs, () => socket.terminate());
    await closed;
    timer.cancel();
  }

  /** Ends the session, if there is one, as dead; a new one is tried. */
  drop(reason: string): void {
    if (this.#state.kind !== 'open' && this.#state.kind !== 'greeting') return;
    this.#deps.log.warn({ reason }, 'the link is given up');
    this.#state.socket.terminate();
  }

  #connect(): void {
    const { clock, log } = this.#deps;
    const gateway = this.#nextGateway();
    // ws hands both to `tls.connect`; its typings know of no context, and say boolean where an error is wanted.
    const tls = {
      secureContext: this.#secureContext(),
      checkServerIdentity: checkServerIdentity as unknown as () => boolean,
    };
    const socket = new WebSocket(new URL('/v1/agent', gateway), {
      ...tls,
      ...(this.#deps.localAddress === undefined ? {} : { localAddress: this.#deps.localAddress }),
      perMessageDeflate: false,
      maxPayload: limits.frameBytes,
      handshakeTimeout: handshakeMs,
    });
    const timer = clock.after(handshakeMs + welcomeMs, () => this.drop('no welcome'));
    this.#state = { kind: 'greeting', socket, timer };
    socket.on('open', () => {
      sendFrame(socket, this.#deps.hello());
      timer.cancel();
      const welcomeTimer = clock.after(welcomeMs, () => this.drop('no welcome'));
      if (this.#state.kind === 'greeting') {
        this.#state = { kind: 'greeting', socket, timer: welcomeTimer };
      }
    });
    socket.on('message', (data: Buffer, isBinary) => this.#onMessage(socket, data, isBinary));
    // `close` follows, and is where the next try begins.
    socket.on('error', (error) => log.debug({ error, gateway }, 'the link failed'));
    socket.on('close', (code) => this.#onClose(gateway, code));
  }

  #onMessage(socket: WebSocket, data: Buffer, isBinary: boolean): void {
    // Frames may still come in while the session is being closed.
    if (socket.readyState !== WebSocket.OPEN) return;
    const frame = isBinary ? null : readGatewayFrame(data.toString('utf8'));
    if (frame === null) {
      this.#deps.log.error({ bytes: data.length }, 'the gateway sent a frame that is none');
      socket.close(badFrame, 'bad frame');
      return;
    }
    if (this.#state.kind === 'stopped') return;
    if (frame.type === 'bye') {
      this.#retryAfterMs = frame.retryAfterMs;
      this.#deps.log.info({ reason: frame.reason }, 'the gateway said good-bye');
      socket.close(1000);
    } else if (this.#state.kind === 'greeting') {
      if (frame.type === 'welcome') this.#onWelcome(socket, frame);
      else socket.close(badFrame, 'no welcome');
    } else if (frame.type === 'welcome') socket.close(badFrame, 'a second welcome');
    else this.#deps.onFrame(frame);
  }

  #onWelcome(socket: WebSocket, welcome: Welcome): void {
    if (this.#state.kind === 'greeting') this.#state.timer.cancel();
    this.#state = { kind: 'open', socket };
    this.#backoff.reset();
    const { gatewayId, sessionId } = welcome;
    this.#deps.log.info({ gatewayId, sessionId }, 'connected');
    this.#deps.onWelcome(linkOver(socket, this.#deps.clock), welcome);
  }

  #onClose(gateway: string, code: number): void {
    const state = this.#state;
    if (state.kind === 'greeting') state.timer.cancel();
    if (state.kind === 'open' || state.kind === 'stopped') this.#deps.onClose();
    if (state.kind === 'stopped') return;
    const waitMs = this.#backoff.nextMs(this.#retryAfterMs);
    this.#retryAfterMs = 0;
    this.#deps.log.info({ gateway, code, waitMs: Math.round(waitMs) }, 'not connected');
    const wait = new AbortController();
    this.#state = { kind: 'waiting', wait };
    // A sleep and no timer: while it waits nothing else keeps the process alive.
    this.#deps.clock.sleep(waitMs, wait.signal).then(
      () => this.#connect(),
      () => {},
    );
  }

  /** Made once for an identity: it is most of what a try costs, and a gateway may be away for long. */
  #secureContext(): SecureContext {
    const { identity, authorities } = this.#deps;
    const ca = [...anchorsOf(identity, authorities())];
    const { certificate: cert, key } = identity;
    const of = [cert, ...ca].join('\n');
    if (this.#tls?.of !== of) {
      this.#tls = { of, context: createSecureContext({ ca, cert, key, minVersion: 'TLSv1.3' }) };
    }
    return this.#tls.context;
  }

  /** Every gateway once in random order, then all again. */
  #nextGateway(): string {
    if (this.#round.length === 0) {
      this.#round = this.#deps.gateways
        .map((gateway) => ({ gateway, order: this.#deps.clock.random() }))
        .sort((left, right) => left.order - right.order)
        .map(({ gateway }) => gateway);
    }
    return this.#round.pop() ?? '';
  }
}

function sendFrame(socket: WebSocket, frame: AgentFrame): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
}

function linkOver(socket: WebSocket, clock: Clock): Link {
  const words = new WordLine(clock, (frame) => sendFrame(socket, frame));
  return {
    get isOpen() {
      return socket.readyState === WebSocket.OPEN;
    },
    get backlogBytes() {
      return socket.bufferedAmount;
    },
    send: (frame) => words.send(frame),
    sendOutput(frame) {
      if (socket.readyState === WebSocket.OPEN) socket.send(encodeOutput(frame));
    },
    sendAnswer(answer) {
      if (socket.readyState === WebSocket.OPEN) socket.send(encodeOutputAnswer(answer));
    },
  };
}
