import { isCancellation, patched } from '@temporalio/workflow';

/**
 * Asks within the workflow task, which saves a way through Temporal each. What is not answered there, for
 * whatever reason, is asked of its queue and waits in an activity, where a person sees why and how
 * often it was tried.
 */
export async function atOnceOrQueued<T>(
  atOnce: () => Promise<T>,
  queued: () => Promise<T>,
): Promise<T> {
  if (patched('asked-at-once')) {
    try {
      return await atOnce();
    } catch (error) {
      if (isCancellation(error)) throw error;
    }
  }
  return queued();
}
