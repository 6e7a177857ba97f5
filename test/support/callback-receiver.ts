import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from './eventually.ts';

export type ReceivedCallback = {
  readonly headers: IncomingMessage['headers'];
  readonly rawBody: Buffer;
};

/** Takes callbacks and answers them with the statuses a test names, the last one for ever. */
export class CallbackReceiver {
  readonly received: ReceivedCallback[] = [];
  readonly url: string;
  readonly #server: Server;
  readonly #statuses: (number | 'silent')[];

  private constructor(server: Server, statuses: readonly (number | 'silent')[]) {
    this.#server = server;
    this.#statuses = [...statuses];
    const { port } = server.address() as AddressInfo; // It listens on TCP.
    this.url = `http://127.0.0.1:${port}/v1/callbacks/tasks`;
    server.on('request', (request, response) => void this.#answer(request, response));
  }

  static async start(...statuses: readonly (number | 'silent')[]): Promise<CallbackReceiver> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new CallbackReceiver(server, statuses);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const rawBody = Buffer.concat(await request.toArray());
    this.received.push({ headers: request.headers, rawBody });
    const status = this.#statuses.length > 1 ? this.#statuses.shift() : this.#statuses[0];
    if (status === 'silent') return;
    response.writeHead(status ?? 204, status === 302 ? { location: this.url } : {}).end();
  }

  /** Awaits the `count`th callback. */
  got(count: number): Promise<ReceivedCallback> {
    return eventually(() => {
      const callback = this.received[count - 1];
      if (callback === undefined) throw new Error(`${this.received.length} callbacks so far`);
      return callback;
    });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
