import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';

const keptBytes = 16 * 1024 * 1024;
const tailBytes = 8 * 1024;

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

  /** The last lines, without empty ones. */
  lastLines(count: number): string[] {
    const size = fstatSync(this.#descriptor).size;
    const from = Math.max(0, size - tailBytes);
    const buffer = Buffer.alloc(size - from);
    readSync(this.#descriptor, buffer, 0, buffer.length, from);
    const lines = buffer.toString('utf8').split('\n');
    return lines.filter((line) => line.trim() !== '').slice(-count);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
