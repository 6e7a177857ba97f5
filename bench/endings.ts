import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock, Timer } from '../platform/clock.ts';

const endedRecord = z.object({
  kind: z.literal('remediation.ended'),
  object: z.string(),
  detail: z.object({
    state: z.string(),
    reason: z.string().nullable(),
    episodes: z.array(z.object({ id: z.string() })),
  }),
});

/** How a repair ended, by the audit log. */
export type Ended = {
  readonly remediationId: string;
  readonly state: string;
  readonly reason: string | null;
};

const lookMs = 20;

/**
 * Ends of repairs as they are recorded, found by the alert's fingerprint. Reads what the audit
 * files have grown by, so that waiting costs the measured servers nothing.
 */
export class Endings {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #ended = new Map<string, Ended>();
  readonly #waiting = new Map<string, (ended: Ended) => void>();
  readonly #read = new Map<string, number>();
  #rest = '';
  #timer: Timer | undefined;

  constructor(of: { readonly directory: string; readonly clock: Clock }) {
    this.#directory = of.directory;
    this.#clock = of.clock;
    this.#lookAgain();
  }

  /** Resolves once the repair of the alert ended; rejects after `withinMs`. Asked once per alert. */
  of(fingerprint: string, withinMs: number): Promise<Ended> {
    const ended = this.#ended.get(fingerprint);
    if (ended !== undefined) return Promise.resolve(ended);
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(withinMs, () => {
        this.#waiting.delete(fingerprint);
        reject(new Error(`the repair of alert ${fingerprint} has not ended in ${withinMs} ms`));
      });
      this.#waiting.set(fingerprint, (found) => {
        timer.cancel();
        this.#waiting.delete(fingerprint);
        resolve(found);
      });
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #lookAgain(): void {
    this.#timer = this.#clock.after(lookMs, () => {
      for (const name of filesIn(this.#directory)) this.#take(join(this.#directory, name));
      this.#lookAgain();
    });
  }

  #take(path: string): void {
    const from = this.#read.get(path) ?? 0;
    const bytes = grownBy(path, from);
    if (bytes.length === 0) return;
    this.#read.set(path, from + bytes.length);
    const lines = (this.#rest + bytes.toString('utf8')).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#note(line);
  }

  #note(line: string): void {
    const parsed = endedRecord.safeParse(JSON.parse(line));
    if (!parsed.success) return;
    const { object, detail } = parsed.data;
    for (const { id } of detail.episodes) {
      const fingerprint = id.slice(0, id.indexOf('@'));
      const ended = { remediationId: object, state: detail.state, reason: detail.reason };
      this.#ended.set(fingerprint, ended);
      this.#waiting.get(fingerprint)?.(ended);
    }
  }
}

/** Only repairs are of interest: they are written by the activities worker. */
function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => name.startsWith('activities-'));
  } catch {
    // Nothing has been recorded yet.
    return [];
  }
}

function grownBy(path: string, from: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(fstatSync(fd).size - from);
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, from));
  } finally {
    closeSync(fd);
  }
}
