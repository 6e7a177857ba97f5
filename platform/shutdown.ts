import type { Log } from './log.ts';

type Stop = { readonly name: string; readonly stop: () => Promise<void> | void };

/**
 * Ends a program in the reverse order of its start. `onSignal` is called by `main.ts` once;
 * a second signal ends the process at once, because a person who presses twice means it.
 */
export class Shutdown {
  readonly #log: Log;
  readonly #stops: Stop[] = [];
  #done: Promise<void> | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Registers what is to be stopped; the last registered stops first. */
  add(name: string, stop: Stop['stop']): void {
    this.#stops.push({ name, stop });
  }

  /** Stops everything, once; a part that fails to stop does not keep the others from it. */
  run(): Promise<void> {
    this.#done ??= this.#stopAll();
    return this.#done;
  }

  /** Runs on SIGINT, SIGTERM or when the parent that started us by IPC is gone. */
  onSignal(): void {
    let asked = false;
    const end = (cause: string) => {
      if (asked) process.exit(130);
      asked = true;
      this.#log.info({ cause }, 'stopping');
      this.run().then(
        () => process.exit(0),
        () => process.exit(1),
      );
    };
    process.on('SIGINT', () => end('SIGINT'));
    process.on('SIGTERM', () => end('SIGTERM'));
    if (process.send) process.on('disconnect', () => end('parent is gone'));
  }

  async #stopAll(): Promise<void> {
    for (const { name, stop } of this.#stops.reverse()) {
      try {
        await stop();
      } catch (error) {
        this.#log.error({ error, part: name }, 'a part did not stop cleanly');
      }
    }
  }
}
