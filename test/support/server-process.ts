import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** A real server as a child that never outlives the test's process. */
export class ServerProcess {
  readonly #command: string;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  readonly #onExit = () => void this.#child?.kill('SIGKILL');

  constructor(command: string, args: readonly string[]) {
    this.#command = command;
    this.#args = args;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    this.#child = spawn(this.#command, this.#args, { stdio: 'ignore' });
    process.on('exit', this.#onExit);
  }

  /** Ends it and resolves once it is gone; without a running one, at once. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    process.off('exit', this.#onExit);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    await exited;
  }

  /** The server hangs: its connections stay open and nothing is answered. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }
}
