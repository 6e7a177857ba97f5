import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { identified } from './ending.ts';

/** Our end of the pipe to the guard. What it was told about is ended when this process dies. */
export class GuardLine {
  readonly #child: ChildProcess;

  constructor(of: { readonly mark: string; readonly runFile: string }) {
    const guard = fileURLToPath(new URL('./guard.ts', import.meta.url));
    this.#child = spawn(process.execPath, [guard, of.mark, of.runFile, String(process.pid)], {
      detached: true,
      env: {},
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    // A guard that is gone cannot help any more, and must not take us with it.
    this.#child.stdin?.on('error', () => {});
    this.#child.unref();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  started(pid: number): void {
    this.#say({ kind: 'started', process: identified(pid) });
  }

  ended(pid: number): void {
    this.#say({ kind: 'ended', pid });
  }

  /** Everything has been stopped in order: the guard ends without doing anything. */
  async bye(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.ref();
    const gone = once(this.#child, 'exit');
    this.#say({ kind: 'bye' });
    this.#child.stdin?.end();
    await gone;
  }

  #say(line: object): void {
    this.#child.stdin?.write(`${JSON.stringify(line)}\n`);
  }
}
