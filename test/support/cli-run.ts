import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../../cli/program.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { type Clock, systemClock } from '../../platform/clock.ts';

export type CliResult = { readonly status: number; readonly out: string; readonly err: string };

/** A terminal that keeps what was written. */
export class FakeTerminal implements Terminal {
  readonly isTty: boolean;
  readonly columns = 100;
  readonly hasColour = false;
  readonly #out: Uint8Array[] = [];
  #err = '';

  constructor(of: { readonly isTty: boolean }) {
    this.isTty = of.isTty;
  }

  out(text: string): void {
    this.#out.push(Buffer.from(text));
  }

  outBytes(bytes: Uint8Array): void {
    this.#out.push(bytes);
  }

  err(text: string): void {
    this.#err += text;
  }

  get written(): { readonly bytes: Buffer; readonly out: string; readonly err: string } {
    const bytes = Buffer.concat(this.#out);
    return { bytes, out: bytes.toString('utf8'), err: this.#err };
  }
}

/** A clock whose sleeps end at once and count as time passed: no test waits. */
export const hastyClock = (): Clock => {
  let slept = 0;
  return {
    ...systemClock,
    monotonic: () => slept,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      slept += ms;
    },
  };
};

export type CliRun = {
  readonly environment?: Record<string, string>;
  readonly cwd?: string;
  readonly terminal?: FakeTerminal;
  readonly interrupted?: AbortSignal;
  /** Else a hasty one; real servers need a real one. */
  readonly clock?: Clock;
};

/** Runs one command line in this process, outside any clone unless `cwd` is given. */
export async function runInProcess(argv: readonly string[], run: CliRun = {}): Promise<CliResult> {
  const terminal = run.terminal ?? new FakeTerminal({ isTty: false });
  const empty = mkdtempSync(join(tmpdir(), 'fixpoint-cli-'));
  try {
    const status = await runCli(argv, {
      terminal,
      clock: run.clock ?? hastyClock(),
      environment: run.environment ?? {},
      cwd: run.cwd ?? empty,
      interrupted: run.interrupted ?? new AbortController().signal,
    });
    return { status, out: terminal.written.out, err: terminal.written.err };
  } finally {
    rmSync(empty, { recursive: true });
  }
}
