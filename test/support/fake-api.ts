import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Asked = {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
};
export type Answer = {
  readonly status?: number;
  /** An object is sent as JSON, bytes as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
};

/** An HTTP server that answers as it is told, by `METHOD /path` without the query; else 404. */
export class FakeApi {
  readonly asked: Asked[] = [];
  readonly #answers = new Map<string, (asked: Asked) => Answer>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  static async start(): Promise<FakeApi> {
    const fake = new FakeApi();
    fake.#server.listen(0, '127.0.0.1');
    await once(fake.#server, 'listening');
    return fake;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo; // It listens on TCP.
    return `http://127.0.0.1:${port}`;
  }

  /** What an operator's shell has who talks to it, as api and as gateway. */
  get environment(): Record<string, string> {
    const { url } = this;
    return { FIXPOINT_URL: url, FIXPOINT_GATEWAY_URL: url, FIXPOINT_TOKEN: 'secret-token' };
  }

  on(route: string, answer: Answer | ((asked: Asked) => Answer)): this {
    this.#answers.set(route, typeof answer === 'function' ? answer : () => answer);
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const asked: Asked = {
      method: request.method ?? '',
      path: request.url ?? '',
      authorization: request.headers.authorization,
      body: Buffer.concat(chunks).toString('utf8'),
    };
    this.asked.push(asked);
    const route = `${asked.method} ${asked.path.replace(/\?.*$/, '')}`;
    const {
      status = 200,
      body,
      headers,
    } = this.#answers.get(route)?.(asked) ?? {
      status: 404,
      body: { code: 'not_found', message: `nothing at ${route}` },
    };
    const isBytes = body instanceof Uint8Array;
    response.writeHead(status, {
      'content-type': isBytes ? 'application/octet-stream' : jsonTypeOf(status),
      ...headers,
    });
    response.end(isBytes ? body : JSON.stringify(body ?? null));
  }
}

/** Refusals are problems, as the real servers write them. */
const jsonTypeOf = (status: number): string =>
  status < 400 ? 'application/json' : 'application/problem+json';
