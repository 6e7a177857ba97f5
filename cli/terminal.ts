/** Where a command writes. Results go to `out`, everything said about them to `err`. */
export type Terminal = {
  /** Whether a person looks at `out`: only then is anything redrawn or coloured. */
  readonly isTty: boolean;
  readonly columns: number;
  readonly hasColour: boolean;
  /** Text as it is; callers strip what came from a server (`plain-text.ts`). */
  out(text: string): void;
  outBytes(bytes: Uint8Array): void;
  err(text: string): void;
};

/** The process's own terminal. `NO_COLOR` with any value but the empty one turns colours off. */
export function processTerminal(environment: {
  readonly [name: string]: string | undefined;
}): Terminal {
  const isTty = process.stdout.isTTY === true;
  return {
    isTty,
    get columns() {
      return process.stdout.columns ?? 100;
    },
    hasColour: isTty && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb',
    out: (text) => void process.stdout.write(text),
    outBytes: (bytes) => void process.stdout.write(bytes),
    err: (text) => void process.stderr.write(text),
  };
}
