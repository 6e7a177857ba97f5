import { z } from 'zod';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { type Rounds, startRounds } from './rounds.ts';

const controlState = z.object({ stopped: z.boolean() });

/** `missing` also stands for what cannot be read: nothing starts, and nothing is refused (rule R6). */
export type Control = 'allowed' | 'stopped' | 'missing';

export type ControlGateDeps = {
  /** The text of the control cache, null if there is none. */
  readonly read: () => Promise<string | null>;
  readonly clock: Clock;
  readonly log: Log;
  /** Called on every change. */
  readonly onChange: (control: Control) => void;
};

const readMs = 500;

/** The kill switch as this gateway knows it, never older than a second (invariant 4). */
export class ControlGate {
  readonly #deps: ControlGateDeps;
  #control: Control = 'missing';
  #rounds: Rounds | undefined;

  constructor(deps: ControlGateDeps) {
    this.#deps = deps;
  }

  get control(): Control {
    return this.#control;
  }

  start(): void {
    const { clock, log } = this.#deps;
    const work = () => this.refresh();
    this.#rounds ??= startRounds({ name: 'control', ms: readMs, work, clock, log });
  }

  async stop(): Promise<void> {
    await this.#rounds?.stop();
  }

  /** Reads the control cache once. Never rejects. */
  async refresh(): Promise<void> {
    const control = await this.#read();
    if (control === this.#control) return;
    this.#deps.log.info({ from: this.#control, to: control }, 'the kill switch changed');
    this.#control = control;
    this.#deps.onChange(control);
  }

  async #read(): Promise<Control> {
    try {
      const text = await this.#deps.read();
      if (text === null) return 'missing';
      return controlState.parse(JSON.parse(text)).stopped ? 'stopped' : 'allowed';
    } catch {
      return 'missing'; // Unreadable is as good as missing; the change to it is logged above.
    }
  }
}
