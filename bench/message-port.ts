import type { ChildProcess } from 'node:child_process';

type Waiter<A> = { readonly resolve: (answer: A) => void; readonly reject: (error: Error) => void };
type Answered<A> = { readonly id: number; readonly answer: A; readonly error?: string };

/**
 * Questions to a child process over its IPC channel, each with its one answer. The child answers
 * `{ id, answer }` or `{ id, error }`; all that wait are rejected when it ends.
 */
export class MessagePort<Q, A> {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiter<A>>();
  #lastId = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message) => this.#settle(message as Answered<A>)); // Our own child's.
    child.on('exit', () => this.#fail('the process has ended'));
  }

  ask(order: Q): Promise<A> {
    return new Promise((resolve, reject) => {
      if (!this.#child.connected) return reject(new Error('the process has ended'));
      this.#lastId += 1;
      const id = this.#lastId;
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, order }, (error) => error && reject(error));
    });
  }

  #settle({ id, answer, error }: Answered<A>): void {
    const waiter = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiter?.resolve(answer);
    else waiter?.reject(new Error(error));
  }

  #fail(what: string): void {
    for (const waiter of this.#waiting.values()) waiter.reject(new Error(what));
    this.#waiting.clear();
  }
}
