import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import {
  encodeOutput,
  encodeOutputAnswer,
  type GatewayFrame,
  gatewayFrame,
  protocolVersion,
} from '../../contracts/frames.ts';
import { type Job, type JobReport, job } from '../../contracts/task.ts';
import { plainReport } from '../../domain/job.ts';
import { eventually } from './eventually.ts';

export type AgentCredentials = {
  readonly agentId: string;
  readonly journalId: string;
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
};

type Frame<T extends GatewayFrame['type']> = Extract<GatewayFrame, { type: T }>;

/** The agent's side of the link over real mutual TLS: says what a test tells it to, keeps what it hears. */
export class FakeAgent {
  readonly frames: GatewayFrame[] = [];
  /** Jobs whose results were told to be stored, as often as they were told. */
  readonly stored: string[] = [];
  readonly #socket: WebSocket;
  readonly #files = new Map<string, Buffer>();
  #pings = 0;
  isClosed = false;
  /** Whether questions for output are answered. */
  isAnswering = true;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      const frame = gatewayFrame.parse(JSON.parse(String(data as Buffer)));
      this.frames.push(frame);
      if (frame.type === 'pong') this.stored.push(...(frame.stored ?? []));
      if (frame.type === 'stored') this.stored.push(frame.jobId);
      if (frame.type === 'output-get' && this.isAnswering) this.#answer(frame);
    });
    socket.on('close', () => {
      this.isClosed = true;
    });
    socket.on('error', () => {}); // `isClosed` is what tests look at.
  }

  /** Opens a link and says nothing yet. Rejects if it is not let in. */
  static async dial(
    port: number,
    tls: { readonly ca: string; readonly certificate?: string; readonly key?: string },
  ): Promise<FakeAgent> {
    const socket = new WebSocket(`wss://127.0.0.1:${port}/v1/agent`, {
      ca: tls.ca,
      cert: tls.certificate,
      key: tls.key,
      perMessageDeflate: false,
    });
    const agent = new FakeAgent(socket);
    await once(socket, 'open');
    return agent;
  }

  /** Opens a link, says hello, in the current protocol or one that was before, and awaits the welcome. */
  static async connect(
    port: number,
    of: AgentCredentials,
    protocol = protocolVersion,
  ): Promise<FakeAgent> {
    const agent = await FakeAgent.dial(port, of);
    agent.hello(of, { protocol });
    await agent.heard('welcome');
    return agent;
  }

  hello(
    of: { readonly agentId: string; readonly journalId: string },
    over: { readonly protocol?: number; readonly sequence?: number } = {},
  ): void {
    const { agentId, journalId } = of;
    this.say({
      ...{ type: 'hello', protocol: protocolVersion, agentId, journalId },
      ...{ sequence: 0, version: '0.1.0', bootId: 'boot' },
      ...over,
    });
  }

  say(frame: unknown): void {
    this.text(JSON.stringify(frame));
  }

  /** Sends a text frame as the test has it. */
  text(text: string): void {
    this.#socket.send(text);
  }

  /** Writes bytes below the WebSocket, as a peer does that keeps no rule of it. */
  raw(bytes: Buffer): void {
    // The library hides its socket; there is no other way to break the framing.
    (this.#socket as unknown as { readonly _socket: Duplex })._socket.write(bytes);
  }

  /** Stops reading, or goes on. */
  pause(isPaused: boolean): void {
    if (isPaused) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Says ping and awaits its pong. */
  async ping(): Promise<Frame<'pong'>> {
    this.#pings += 1;
    const id = this.#pings;
    this.say({ type: 'ping', id });
    return eventually(() => {
      const pong = this.all('pong').find((frame) => frame.id === id);
      if (pong === undefined) throw new Error('no pong yet');
      return pong;
    });
  }

  /** Says ping until `count` results were told to be stored; resolves to the job of the last of them. */
  kept(count = 1): Promise<string> {
    return eventually(async () => {
      const jobId = this.stored[count - 1];
      if (jobId !== undefined) return jobId;
      await this.ping();
      throw new Error(`${this.stored.length} results are told to be stored`);
    });
  }

  ack(jobId: string, state: 'acked' | 'running'): void {
    this.say({ type: 'ack', jobId, state });
  }

  output(of: Parameters<typeof encodeOutput>[0]): void {
    this.#socket.send(encodeOutput(of));
  }

  /** What lies on the host of a job's output, to be asked for. */
  holds(of: { readonly jobId: string; readonly stream: string; readonly data: Buffer }): void {
    this.#files.set(`${of.jobId} ${of.stream}`, of.data);
  }

  #answer({ id, jobId, stream, offset, limit }: Frame<'output-get'>): void {
    const whole = this.#files.get(`${jobId} ${stream}`);
    this.sayBytes(
      encodeOutputAnswer(
        whole === undefined
          ? { kind: 'gone', id }
          : {
              ...{ kind: 'piece', id, offset, total: whole.length },
              data: whole.subarray(offset, offset + limit),
            },
      ),
    );
  }

  sayBytes(bytes: Buffer): void {
    this.#socket.send(bytes);
  }

  result(jobId: string, report: Partial<JobReport> = {}): void {
    this.say({
      type: 'result',
      jobId,
      report: { ...plainReport('succeeded', null), exitCode: 0, ...report },
    });
  }

  all<T extends GatewayFrame['type']>(type: T): Frame<T>[] {
    return this.frames.filter((frame): frame is Frame<T> => frame.type === type);
  }

  /** Awaits the `count`th frame of a type. */
  heard<T extends GatewayFrame['type']>(type: T, count = 1): Promise<Frame<T>> {
    return eventually(() => {
      const frame = this.all(type)[count - 1];
      if (frame === undefined) throw new Error(`heard ${this.frames.map((f) => f.type).join(' ')}`);
      return frame;
    });
  }

  /** The job inside a dispatch frame. */
  static jobOf(frame: Frame<'dispatch'>): Job {
    return job.parse(JSON.parse(frame.job));
  }

  /** Awaits that the gateway, or we, ended the link. */
  async gone(): Promise<void> {
    await eventually(() => {
      if (!this.isClosed) throw new Error('the link is still open');
    });
  }

  /** Ends the link as a lost network does. */
  async cut(): Promise<void> {
    this.#socket.terminate();
    await this.gone();
  }
}
