import { FixpointError } from '../domain/errors.ts';

/**
 * Runs commands and says `upstream_unavailable` for whatever Redis could not do, so that callers
 * answer 503 or try again. Redis's own text is the cause and never reaches a caller.
 */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof FixpointError) throw cause;
    throw new FixpointError('upstream_unavailable', 'Redis does not answer', {
      cause,
      hint: 'nothing was lost; try again',
    });
  }
}
