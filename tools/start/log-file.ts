import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';

const keptBytes = 16 * 1024 * 1024;
const tailBytes = 8 * 1024;
const lineLength = 500;

/** The log of one part, bounded: beyond 16 MiB it starts again from nothing. */
export class LogFile {
  readonly path: string;
  readonly #descriptor: number;

  constructor(path: string) {
    this.path = path;
    this.#descriptor = openSync(path, 'a+', 0o600);
    this.bound();
  }

  /** What a child writes to. It appends, so that cutting the file under it is safe. */
  get descriptor(): number {
    return this.#descriptor;
  }

  /** Cuts the file if it has become too large. */
  bound(): void {
    if (fstatSync(this.#descriptor).size > keptBytes) ftruncateSync(this.#descriptor, 0);
  }

  /** Where the next line will stand. */
  get size(): number {
    return fstatSync(this.#descriptor).size;
  }

  /** The last lines after `since` (an earlier `size`), without empty ones, each cut to fit. */
  lastLines(count: number, since: number): string[] {
    const { size } = this;
    // The file may have been cut since.
    const from = Math.max(since > size ? 0 : since, size - tailBytes);
    const buffer = Buffer.alloc(size - from);
    readSync(this.#descriptor, buffer, 0, buffer.length, from);
    const lines = buffer.toString('utf8').split('\n');
    const shown = lines.filter((line) => line.trim() !== '').slice(-count);
    return shown.map((line) =>
      line.length > lineLength ? `${line.slice(0, lineLength)} …` : line,
    );
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
