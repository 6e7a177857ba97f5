import { appendFile, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Alert } from '../contracts/alert.ts';
import { limits } from '../contracts/limits.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';

const dayMs = 86_400_000;
const fileName = /^(\d{4}-\d{2}-\d{2})\.jsonl$/;

/**
 * Every normalised alert, one JSON line each, one file per day (UTC), for later replay. An entry
 * that was handled twice stands there twice. A file that cannot be written is a warning and a
 * metric, never a stop: repairs go on with a full disk.
 */
export class AlertFile {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #failures: { inc(by: number): void };
  readonly #bytesMax: number;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #day = '';
  #bytes = 0;
  #isFailing = false;

  constructor(of: {
    readonly directory: string;
    readonly clock: Clock;
    readonly log: Log;
    readonly metrics: Metrics;
    readonly bytesMax?: number;
  }) {
    this.#directory = of.directory;
    this.#clock = of.clock;
    this.#log = of.log;
    this.#bytesMax = of.bytesMax ?? limits.alertFileBytes;
    this.#failures = of.metrics.counter(
      'fixpoint_alert_file_failures_total',
      'Alerts that could not be written to the daily file.',
    );
  }

  /** Resolves once the alert's line is written, or could not be. Never rejects. */
  async append(alert: Alert): Promise<void> {
    this.#waiting.push(`${JSON.stringify(alert)}\n`);
    // Whatever arrives during a write goes into the next one.
    while (this.#writing !== undefined) await this.#writing;
    if (this.#waiting.length === 0) return;
    this.#writing = this.#write(this.#waiting.splice(0)).finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  async #write(lines: readonly string[]): Promise<void> {
    try {
      const path = await this.#fileOfToday();
      const text = lines.join('');
      const bytes = Buffer.byteLength(text);
      if (this.#bytes + bytes > this.#bytesMax) throw new Error('the file of today is full');
      await appendFile(path, text, { mode: 0o600 });
      this.#bytes += bytes;
      this.#isFailing = false;
    } catch (error) {
      this.#failures.inc(lines.length);
      if (!this.#isFailing) {
        this.#log.warn({ error, directory: this.#directory }, 'alerts are not written to files');
      }
      this.#isFailing = true;
    }
  }

  async #fileOfToday(): Promise<string> {
    const now = this.#clock.now();
    const day = new Date(now).toISOString().slice(0, 10);
    const path = join(this.#directory, `${day}.jsonl`);
    if (day !== this.#day) {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const found = await stat(path).catch(() => null); // The first alert of a day makes the file.
      this.#bytes = found?.size ?? 0;
      await this.#removeOld(now - limits.alertFileDays * dayMs);
      this.#day = day;
    }
    return path;
  }

  async #removeOld(beforeMs: number): Promise<void> {
    const oldest = new Date(beforeMs).toISOString().slice(0, 10);
    for (const name of await readdir(this.#directory)) {
      const day = fileName.exec(name)?.[1];
      if (day !== undefined && day < oldest) await rm(join(this.#directory, name));
    }
  }
}
