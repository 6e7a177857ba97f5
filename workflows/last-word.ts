import { type ActivityFailure, ApplicationFailure } from '@temporalio/workflow';

/** What the activity itself said last, which may stand behind the timeout that ended its tries; null if it said nothing. */
export function lastWordOf(failure: ActivityFailure): ApplicationFailure | null {
  let found: Error | undefined = failure;
  while (found !== undefined && !(found instanceof ApplicationFailure)) {
    found = found.cause instanceof Error ? found.cause : undefined;
  }
  return found ?? null;
}
