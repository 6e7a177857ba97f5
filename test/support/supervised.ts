import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CrashProgram } from '../../platform/crash-point.ts';
import { programEnvironment } from './program-environment.ts';

/**
 * A program of ours that is started again whenever it was killed, as a service manager does it; one
 * that ends by itself stays down. Its crash points are armed one by one.
 */
export class Supervised {
  readonly #start: () => ChildProcess;
  readonly #program: CrashProgram;
  readonly #crashFolder: string;
  readonly #said: string[] = [];
  readonly #ended: Promise<number | null>;
  #child: ChildProcess;
  #isStopped = false;

  constructor(of: {
    readonly program: CrashProgram;
    readonly main: string;
    /** A folder of its own: for what is armed, and to run in. */
    readonly folder: string;
    readonly environment: Readonly<Record<string, string>>;
  }) {
    this.#program = of.program;
    this.#crashFolder = join(of.folder, 'crash');
    mkdirSync(this.#crashFolder, { recursive: true });
    const env = programEnvironment({
      FIXPOINT_CRASH_POINT: this.#crashFolder,
      ...of.environment,
    });
    this.#start = () => spawn(process.execPath, [of.main], { env, cwd: of.folder });
    this.#child = this.#begun();
    this.#ended = this.#supervise();
  }

  /** Has it die at `point` once. */
  arm(point: string): void {
    writeFileSync(join(this.#crashFolder, `${this.#program}.${point}`), '');
  }

  hasDied(point: string): boolean {
    return existsSync(join(this.#crashFolder, `${this.#program}.${point}.died`));
  }

  /** All that it said so far, whichever process it was. */
  get said(): string {
    return this.#said.join('');
  }

  /** Resolves with its exit status once it has ended by itself, null if it was stopped. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #begun(): ChildProcess {
    const child = this.#start();
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => void this.#said.push(chunk.toString()));
    }
    return child;
  }

  async #supervise(): Promise<number | null> {
    for (;;) {
      // Its output is whole by then.
      await once(this.#child, 'close');
      if (this.#isStopped) return null;
      if (this.#child.signalCode === null) return this.#child.exitCode;
      this.#child = this.#begun();
    }
  }
}
