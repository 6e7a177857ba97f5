import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { issueCertificate, type KeyPair } from '../../agent-gateway/certificates.ts';
import {
  type AgentFrame,
  agentFrame,
  decodeOutput,
  decodeOutputAnswer,
  type GatewayFrame,
  isOutputAnswer,
  type OutputAnswer,
  type OutputFrame,
  type OutputStream,
} from '../../contracts/frames.ts';
import { limits } from '../../contracts/limits.ts';
import type { Job, JobReport } from '../../contracts/task.ts';
import { jobIdOf } from '../../domain/ids.ts';
import { jobBytes } from '../../domain/job-bytes.ts';
import { systemClock } from '../../platform/clock.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { signedBy, testKey } from './signing.ts';

type OutputGet = Extract<GatewayFrame, { type: 'output-get' }>;
type Hello = Extract<AgentFrame, { type: 'hello' }>;

/** What this gateway says to a ping; a test changes it at will. */
export type PingAnswer = { lease: boolean; stopped: boolean; isSilent: boolean; aheadMs: number };

/** The gateway's side of the agent link over real mutual TLS, remembering all it was told. */
export class FakeGateway {
  readonly answer: PingAnswer = { lease: true, stopped: false, isSilent: false, aheadMs: 0 };
  readonly hellos: Hello[] = [];
  readonly acks: Extract<AgentFrame, { type: 'ack' }>[] = [];
  readonly results: { jobId: string; report: JobReport; outputBytes: number }[] = [];
  readonly goodbyes: string[] = [];
  readonly jobTexts: Extract<AgentFrame, { type: 'job-text' }>[] = [];
  readonly answers: OutputAnswer[] = [];
  /** Of all frames together. */
  bytesTaken = 0;
  /** By `{jobId} {stream}`: what came behind a gap. */
  readonly tails = new Map<string, OutputFrame>();
  /** What the next welcome grants. */
  startLeaseMs = 2_000;
  /** Pings that were answered. */
  pongs = 0;
  /** Whether results are told to be stored. */
  isStoring = true;
  readonly #server: Server;
  readonly #sockets = new Set<WebSocket>();
  readonly #output = new Map<string, Buffer>();
  /** Jobs whose results the next pong tells to be stored. */
  #stored: string[] = [];
  #current: WebSocket | undefined;
  #questions = 0;

  private constructor(server: Server) {
    this.#server = server;
    const sockets = new WebSocketServer({ server, path: '/v1/agent', perMessageDeflate: false });
    sockets.on('connection', (socket) => this.#serve(socket));
  }

  static async start(authority: KeyPair, port?: number): Promise<FakeGateway> {
    const { certificate, key } = await issueCertificate({
      authority,
      subject: { kind: 'gateway' },
      clock: systemClock,
    });
    return FakeGateway.startWith({ ca: authority.certificate, cert: certificate, key }, port);
  }

  /** With a certificate of the test's choice. */
  static async startWith(
    tls: { readonly ca: string; readonly cert: string; readonly key: string },
    port?: number,
  ): Promise<FakeGateway> {
    const server = createServer({ ...tls, requestCert: true, minVersion: 'TLSv1.3' });
    const gateway = new FakeGateway(server);
    server.listen(port ?? (await freePort()), '127.0.0.1');
    await once(server, 'listening');
    return gateway;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port; // A TCP server has no other kind.
  }

  get url(): string {
    return `wss://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.terminate();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Resolves once `count` hellos came and the last of them was welcomed. */
  connected(count = 1): Promise<Hello> {
    return eventually(() => {
      const hello = this.hellos[count - 1];
      if (hello === undefined || this.#current === undefined) throw new Error('no agent yet');
      return hello;
    });
  }

  drop(): void {
    this.#current?.terminate();
    this.#current = undefined;
  }

  send(frame: GatewayFrame): void {
    this.#current?.send(JSON.stringify(frame));
  }

  sendRaw(data: string | Buffer): void {
    this.#current?.send(data);
  }

  /** Writes bytes below the WebSocket, as a peer does that keeps no rule of it. */
  raw(bytes: Buffer): void {
    // The library hides its socket; there is no other way to break the framing.
    (this.#current as unknown as { readonly _socket: Duplex })._socket.write(bytes);
  }

  /** Gives a job to the agent, signed as whoever submitted it would have. */
  dispatch(order: { readonly job: Job; readonly content: string }): string {
    const job = jobBytes(order.job);
    const jobId = jobIdOf(order.job.taskId, order.job.agentId);
    const signature = signedBy(testKey, job);
    this.dispatchText({ jobId, job, signature, content: order.content });
    return jobId;
  }

  /** Gives the agent a job as the test has it. */
  dispatchText(text: Omit<Extract<GatewayFrame, { type: 'dispatch' }>, 'type' | 'have'>): void {
    const have = {
      stdout: this.output(text.jobId, 'stdout').length,
      stderr: this.output(text.jobId, 'stderr').length,
    };
    this.send({ type: 'dispatch', ...text, have });
  }

  /** The `count`th result of a job. */
  async result(jobId: string, count = 1, withinMs = 15_000): Promise<JobReport> {
    return eventually(
      () => {
        const report = this.results.filter((each) => each.jobId === jobId)[count - 1]?.report;
        if (report === undefined) throw new Error(`no result ${count} of ${jobId}`);
        return report;
      },
      { withinMs },
    );
  }

  /** Output as a gateway holds it: pieces without gaps, repeats ignored. */
  output(jobId: string, stream: OutputStream): Buffer {
    return this.#output.get(`${jobId} ${stream}`) ?? Buffer.alloc(0);
  }

  /** Asks for output that lies on the host, and awaits the answer. */
  ask(of: Omit<OutputGet, 'type' | 'id'>): Promise<OutputAnswer> {
    this.#questions += 1;
    const id = this.#questions;
    this.send({ type: 'output-get', id, ...of });
    return eventually(() => {
      const answer = this.answers.find((each) => each.id === id);
      if (answer === undefined) throw new Error('no answer yet');
      return answer;
    });
  }

  forgetOutput(): void {
    this.#output.clear();
  }

  #serve(socket: WebSocket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('message', (data: Buffer, isBinary) => {
      this.bytesTaken += data.length;
      if (isBinary) this.#takeOutput(data);
      else this.#take(socket, agentFrame.parse(JSON.parse(data.toString('utf8'))));
    });
  }

  #take(socket: WebSocket, frame: AgentFrame): void {
    switch (frame.type) {
      case 'hello':
        this.#current = socket;
        this.#stored = [];
        this.send({
          type: 'welcome',
          protocol: frame.protocol,
          sessionId: 'a'.repeat(16),
          gatewayId: 'fake',
          pingMs: 500,
          startLeaseMs: this.startLeaseMs,
        });
        this.hellos.push(frame);
        break;
      case 'ping':
        this.#pong(frame.id);
        break;
      case 'ack':
        this.acks.push(frame);
        break;
      case 'result':
        this.#takeResult(frame.jobId, frame.report);
        break;
      case 'job-text':
        this.jobTexts.push(frame);
        break;
      case 'bye':
        this.goodbyes.push(frame.reason);
        break;
    }
  }

  #pong(id: number): void {
    const { lease, stopped, isSilent, aheadMs } = this.answer;
    if (isSilent) return;
    this.pongs += 1;
    const stored = this.#stored.splice(0, limits.storedTellingMax);
    this.send({
      ...{ type: 'pong', id, gatewayTime: Date.now() + aheadMs, lease, stopped },
      ...(stored.length === 0 ? {} : { stored }),
    });
  }

  #takeResult(jobId: string, report: JobReport): void {
    const outputBytes = this.output(jobId, 'stdout').length + this.output(jobId, 'stderr').length;
    this.results.push({ jobId, report, outputBytes });
    if (this.isStoring) this.#stored.push(jobId);
  }

  #takeOutput(data: Buffer): void {
    const answer = decodeOutputAnswer(data);
    if (answer !== null) this.answers.push(answer);
    if (isOutputAnswer(data)) return;
    const frame = decodeOutput(data);
    if (frame === null) throw new Error('the agent sent an output frame that is none');
    const held = this.output(frame.jobId, frame.stream);
    if (frame.offset > held.length) {
      if (held.length < limits.outputHeadBytes) throw new Error('the agent left a gap in the head');
      this.tails.set(`${frame.jobId} ${frame.stream}`, frame);
      return;
    }
    const fresh = frame.data.subarray(held.length - frame.offset);
    this.#output.set(`${frame.jobId} ${frame.stream}`, Buffer.concat([held, fresh]));
  }
}
