import { readFileSync } from 'node:fs';
import type { Clock } from '../platform/clock.ts';
import { rounded } from './figures.ts';

/** Who used the machine for a while. Cores: CPU seconds a second. */
export type CpuUse = {
  /** CPU milliseconds of each measured process; its children that have ended are in it. */
  readonly parts: Readonly<Record<string, number>>;
  readonly ours: number;
  /** Everything else on the machine: jobs that still ran, and strangers, which disturb a run. */
  readonly others: number;
  readonly idle: number;
};

type Reading = {
  readonly at: number;
  readonly parts: Readonly<Record<string, number>>;
  readonly busyMs: number;
  readonly idleMs: number;
};

// proc(5) counts in USER_HZ, which is 100 on every Linux that Node runs on.
const tickMs = 10;

/** CPU time of named processes and of the whole machine, from when it is made until `use` is called. */
export class CpuMeter {
  readonly #clock: Clock;
  readonly #pids: Readonly<Record<string, number>>;
  readonly #before: Reading;

  constructor(of: { readonly clock: Clock; readonly pids: Readonly<Record<string, number>> }) {
    this.#clock = of.clock;
    this.#pids = of.pids;
    this.#before = this.#read();
  }

  use(): CpuUse {
    const before = this.#before;
    const after = this.#read();
    const tookMs = after.at - before.at;
    const parts = Object.fromEntries(
      Object.entries(after.parts).map(([name, ms]) => [name, ms - (before.parts[name] ?? 0)]),
    );
    const oursMs = Object.values(parts).reduce((sum, ms) => sum + ms, 0);
    const busyMs = after.busyMs - before.busyMs;
    return {
      parts,
      ours: rounded(oursMs / tookMs),
      others: rounded(Math.max(0, busyMs - oursMs) / tookMs),
      idle: rounded((after.idleMs - before.idleMs) / tookMs),
    };
  }

  #read(): Reading {
    const parts = Object.entries(this.#pids).map(([name, pid]) => [name, cpuMsOf(pid)]);
    const [, ...fields] = firstLineOf('/proc/stat').split(/\s+/);
    const ticks = fields.slice(0, 8).map(Number);
    // Waiting for a disk is idle time: another process could have had the core.
    const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
    const all = ticks.reduce((sum, each) => sum + each, 0);
    return {
      at: this.#clock.monotonic(),
      parts: Object.fromEntries(parts),
      busyMs: (all - idle) * tickMs,
      idleMs: idle * tickMs,
    };
  }
}

/** User and system time, own and of ended children: fields 14 to 17 of proc(5). */
function cpuMsOf(pid: number): number {
  const text = firstLineOf(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) * tickMs;
}

const firstLineOf = (path: string): string => readFileSync(path, 'utf8').split('\n')[0] ?? '';
