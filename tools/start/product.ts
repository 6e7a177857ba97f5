import type { Clock } from '../../platform/clock.ts';
import { anyMarkOf, endMarked, markedProcesses, ownMarkOf } from './ending.ts';
import { GuardLine } from './guard-line.ts';
import { clone, type Layout } from './layout.ts';
import { Part, type PartSpec } from './part.ts';
import type { RunFile } from './run-file.ts';

/** Parts that stop together. The first stage starts before the others, which start together. */
export type Stage = { readonly parts: readonly PartSpec[]; readonly stopGraceMs: number };

export type ProductDeps = {
  readonly clock: Clock;
  readonly layout: Layout;
  readonly runFile: RunFile;
  readonly say: (line: string) => void;
};

const progressMs = 10_000;
const logLookMs = 60_000;
const strayGraceMs = 1_000;

/**
 * The running product: every part under watch, every process known to the guard. `stop` ends the
 * stages in reverse, and between programs and servers whatever jobs left behind.
 */
export class Product {
  readonly #deps: ProductDeps;
  readonly #stages: readonly Stage[];
  readonly #guard: GuardLine;
  readonly #pids = new Map<string, number>();
  #started: Part[][] = [];
  #stopped: Promise<void> | undefined;

  constructor(deps: ProductDeps, stages: readonly Stage[]) {
    this.#deps = deps;
    this.#stages = stages;
    this.#guard = new GuardLine({
      mark: ownMarkOf(deps.layout.state),
      runFile: deps.layout.runFile,
    });
    deps.runFile.note('guard', this.#guard.pid);
  }

  /** Starts all stages. Throws the failure of the first part that does not come up. */
  async start(): Promise<void> {
    this.#started = this.#stages.map((stage) =>
      stage.parts.map((spec) => new Part(this.#partDeps(), spec)),
    );
    const [servers = [], ...programs] = this.#started;
    await this.#startAll(servers);
    await this.#startAll(programs.flat());
    this.#watchLogs();
  }

  /** Ends everything, once, however often it is asked. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stopAll();
    return this.#stopped;
  }

  async #startAll(parts: readonly Part[]): Promise<void> {
    if (this.#stopped) return;
    const { clock, say } = this.#deps;
    const waiting = new Set(parts.map((part) => part.spec.name));
    const from = clock.monotonic();
    const progress = () => {
      if (waiting.size === 0 || this.#stopped) return;
      const seconds = Math.round((clock.monotonic() - from) / 1000);
      say(`waiting for ${[...waiting].join(', ')}: ${seconds} s so far`);
      clock.after(progressMs, progress);
    };
    clock.after(progressMs, progress);
    await Promise.all(
      parts.map((part) => part.start().finally(() => waiting.delete(part.spec.name))),
    );
  }

  #partDeps() {
    const { clock, say, runFile } = this.#deps;
    return {
      clock,
      say,
      cwd: clone,
      onProcess: (name: string, pid: number | null) => {
        const before = this.#pids.get(name);
        if (before !== undefined) this.#guard.ended(before);
        if (pid === null) this.#pids.delete(name);
        else {
          this.#pids.set(name, pid);
          this.#guard.started(pid);
        }
        runFile.note(name, pid);
      },
    };
  }

  #watchLogs(): void {
    if (this.#stopped) return;
    for (const part of this.#started.flat()) part.boundLog();
    this.#deps.clock.after(logLookMs, () => this.#watchLogs());
  }

  async #stopAll(): Promise<void> {
    const { clock, layout, runFile } = this.#deps;
    const stages = this.#started.map((parts, index) => ({
      parts,
      graceMs: this.#stages[index]?.stopGraceMs ?? 0,
    }));
    const [servers, ...programs] = stages;
    for (const { parts, graceMs } of programs.reverse()) {
      await Promise.all(parts.map((part) => part.stop(graceMs)));
    }
    const mark = anyMarkOf(layout.state);
    const spared = (servers?.parts ?? []).flatMap((part) => part.pid ?? []);
    await endMarked(clock, mark, { graceMs: strayGraceMs, spared });
    await Promise.all((servers?.parts ?? []).map((part) => part.stop(servers?.graceMs ?? 0)));
    await this.#guard.bye();
    if (markedProcesses(mark).length === 0) runFile.remove();
  }
}
