import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Clock, Timer } from '../../platform/clock.ts';
import { endProcesses, identified } from './ending.ts';
import { StartFailure } from './failure.ts';
import { LogFile } from './log-file.ts';

/** A program that runs as a process of its own. */
export type PartSpec = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** All it gets; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** What has to be done before its first process is started. */
  readonly prepare?: (() => Promise<void>) | undefined;
  /** Whether it answers. May throw, which means no. */
  readonly answers: () => Promise<boolean>;
  readonly readyWithinMs: number;
  /** A part that is not restarted is reported when it ends, and left to whoever repairs it. */
  readonly restart: boolean;
  /** How it ends when it does not accept its settings or files: started again it would say the same. */
  readonly refusedExit?: number;
};

export type PartDeps = {
  readonly clock: Clock;
  readonly cwd: string;
  readonly say: (line: string) => void;
  /** Hears the pid of a process that started, or null when it ended. */
  readonly onProcess: (name: string, pid: number | null) => void;
};

const backoffFirstMs = 500;
// A repair waits as long for a part that has died several times in a row; a vain start costs a core
// for 1 s.
const backoffLastMs = 5_000;
// Nothing that keeps ending lives this long: most parts are ready in 3 s.
const steadyMs = 5_000;
const shownLines = 8;
const reapMs = 1_000;

/** A part under watch: started, awaited, started again with back-off when it dies, stopped. */
export class Part {
  readonly spec: PartSpec;
  readonly #deps: PartDeps;
  readonly #log: LogFile;
  #child: ChildProcess | undefined;
  #restartTimer: Timer | undefined;
  #backoffMs = backoffFirstMs;
  #startedAt = 0;
  #deaths = 0;
  #isRefused = false;
  #logFrom = 0;
  #saidLast = '';
  #state: 'new' | 'starting' | 'ready' | 'stopping' = 'new';

  constructor(deps: PartDeps, spec: PartSpec) {
    this.#deps = deps;
    this.spec = spec;
    this.#log = new LogFile(spec.logFile);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Resolves once it answers. Throws a `StartFailure` if it keeps dying or does not in time, and at once
   * if it does not accept its configuration.
   */
  async start(): Promise<void> {
    const { clock } = this.#deps;
    this.#state = 'starting';
    await this.spec.prepare?.();
    // It may have been stopped meanwhile.
    if (this.#state === 'starting') this.#spawn();
    const until = clock.monotonic() + this.spec.readyWithinMs;
    while (this.#state === 'starting') {
      if (this.#child?.pid !== undefined && (await this.#answers())) break;
      if (this.#isRefused) throw this.#failure('does not accept its configuration');
      if (this.#deaths >= 3) throw this.#failure('keeps ending');
      if (clock.monotonic() > until) {
        throw this.#failure(
          `did not answer within ${Math.round(this.spec.readyWithinMs / 1000)} s`,
        );
      }
      await clock.sleep(100);
    }
    if (this.#state === 'starting') this.#state = 'ready';
  }

  /** Ends it, by force after `graceMs`; it is not started again. Harmless when it does not run. */
  async stop(graceMs: number): Promise<void> {
    this.#state = 'stopping';
    this.#restartTimer?.cancel();
    const child = this.#child;
    if (child?.pid === undefined) return;
    // The exit is awaited too: before it the pid is still taken, by a zombie.
    const reaped = once(child, 'exit');
    await endProcesses(this.#deps.clock, [identified(child.pid)], graceMs);
    await Promise.race([reaped, this.#deps.clock.sleep(reapMs)]);
  }

  /** Keeps the log from growing for ever; called from time to time. */
  boundLog(): void {
    this.#log.bound();
  }

  async #answers(): Promise<boolean> {
    try {
      return await this.spec.answers();
    } catch {
      return false;
    }
  }

  #spawn(): void {
    const { spec } = this;
    this.#startedAt = this.#deps.clock.monotonic();
    this.#logFrom = this.#log.size;
    // A group of its own: Ctrl-C in the terminal reaches the parent alone, which stops in order.
    const child = spawn(spec.command, spec.args, {
      cwd: this.#deps.cwd,
      env: spec.env,
      detached: true,
      stdio: ['ignore', this.#log.descriptor, this.#log.descriptor],
    });
    this.#child = child;
    child.once('error', (error) => this.#onEnd(error.message));
    child.once('exit', (code, signal) => {
      this.#isRefused = this.#state === 'starting' && code !== null && code === spec.refusedExit;
      this.#onEnd(signal ?? `exit ${code}`);
    });
    if (child.pid !== undefined) this.#deps.onProcess(spec.name, child.pid);
  }

  #onEnd(how: string): void {
    if (this.#child === undefined) return;
    this.#child = undefined;
    this.#deps.onProcess(this.spec.name, null);
    if (this.#state === 'stopping' || this.#isRefused) return;
    this.#deaths += 1;
    if (this.#deps.clock.monotonic() - this.#startedAt > steadyMs) this.#backoffMs = backoffFirstMs;
    const again = this.spec.restart
      ? `started again in ${this.#backoffMs / 1000} s`
      : 'only a repair starts it again';
    this.#deps.say(`${this.spec.name} ended (${how}); ${again}.${this.#newWords()}`);
    if (!this.spec.restart) return;
    this.#restartTimer = this.#deps.clock.after(this.#backoffMs, () => {
      if (this.#state !== 'stopping') this.#spawn();
    });
    this.#backoffMs = Math.min(this.#backoffMs * 2, backoffLastMs);
  }

  #failure(what: string): StartFailure {
    return new StartFailure(
      `${this.spec.name} ${what}. ${this.#lastWords()}`,
      `look into ${this.spec.logFile}; then npm start again`,
    );
  }

  /** What a dying part said, unless it said the same the last time. */
  #newWords(): string {
    const words = this.spec.restart ? this.#lastWords() : '';
    if (words === this.#saidLast) return '';
    this.#saidLast = words;
    return ` ${words}`;
  }

  #lastWords(): string {
    const lines = this.#log.lastLines(shownLines, this.#logFrom);
    if (lines.length === 0) return `It said nothing in ${this.spec.logFile}.`;
    return `Last lines of ${this.spec.logFile}:\n${lines.map((line) => `    ${line}`).join('\n')}`;
  }
}
