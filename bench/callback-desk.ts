import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TaskCallback, TaskReport } from '../contracts/task.ts';
import type { Clock } from '../platform/clock.ts';
import type { WallClock } from './wall-clock.ts';

/** A task's end as the initiator hears of it; `at` is Unix milliseconds with a fraction. */
export type Told = { readonly at: number; readonly report: TaskReport };

/** Hears callbacks in place of the api, and answers them at once. */
export class CallbackDesk {
  readonly url: string;
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #wallClock: WallClock;
  readonly #waiting = new Map<string, (told: Told) => void>();
  /** Callbacks, repeated ones included. */
  received = 0;

  private constructor(of: { server: Server; clock: Clock; wallClock: WallClock }) {
    this.#server = of.server;
    this.#clock = of.clock;
    this.#wallClock = of.wallClock;
    const { port } = of.server.address() as AddressInfo; // It listens on TCP.
    this.url = `http://127.0.0.1:${port}/`;
    of.server.on('request', (request, response) => void this.#take(request, response));
  }

  static async start(clock: Clock, wallClock: WallClock): Promise<CallbackDesk> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new CallbackDesk({ server, clock, wallClock });
  }

  /** Resolves with the task's end; rejects after `withinMs`. Ask before the task is handed in. */
  endOf(taskId: string, withinMs: number): Promise<Told> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(withinMs, () => {
        this.#waiting.delete(taskId);
        reject(new Error(`task ${taskId} has not ended in ${withinMs} ms`));
      });
      this.#waiting.set(taskId, (told) => {
        timer.cancel();
        this.#waiting.delete(taskId);
        resolve(told);
      });
    });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = this.#wallClock.now();
    const body = Buffer.concat(await request.toArray()).toString('utf8');
    response.writeHead(204).end();
    this.received += 1;
    const { report } = JSON.parse(body) as TaskCallback; // Our own gateway's.
    this.#waiting.get(report.taskId)?.({ at, report });
  }
}
