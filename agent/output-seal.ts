import type { JobFolder, OutputSizes } from './job-folder.ts';

export type SealedOutput = {
  readonly sizes: OutputSizes;
  /** The job wrote more than it may; what is over the limit is gone. */
  readonly isCut: boolean;
  readonly note: string | null;
  /** Why nothing was kept, for the log. */
  readonly error: unknown;
};

/**
 * Fixes a job's output for good: within its limit, masked. Never throws: output that cannot be
 * masked is not shown at all. May be repeated after a crash in the middle.
 */
export function sealOutput(
  folder: JobFolder,
  of: { readonly outputBytes: number; readonly sent: OutputSizes },
): SealedOutput {
  try {
    const written = folder.sizes();
    const sizes = cutSizes({ written, ...of });
    const isCut = written.stdout + written.stderr > of.outputBytes;
    folder.seal(sizes);
    const note = isCut ? `the output was cut after ${of.outputBytes} bytes` : null;
    return { sizes, isCut, note, error: null };
  } catch (error) {
    const sizes = { stdout: 0, stderr: 0 };
    return { sizes, isCut: false, note: 'the output could not be kept on the host', error };
  }
}

/**
 * How much of each stream is kept when both together exceed `outputBytes`: never less than `sent`,
 * what may be at the gateway already, which fits.
 */
export function cutSizes(of: {
  readonly written: OutputSizes;
  readonly sent: OutputSizes;
  readonly outputBytes: number;
}): OutputSizes {
  const stdout = Math.min(of.written.stdout, of.outputBytes - of.sent.stderr);
  return { stdout, stderr: Math.min(of.written.stderr, of.outputBytes - stdout) };
}
