import { ApplicationFailure } from '@temporalio/activity';
import { errorPolicies, FixpointError } from '../domain/errors.ts';

/**
 * The one place an error leaves an activity: type = code, and a flag whether trying again can
 * help. The cause is not passed on, because Temporal would write its text into history, and a
 * text we did not write may hold a secret (invariant 10).
 */
export function toApplicationFailure(error: unknown): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  const known =
    error instanceof FixpointError
      ? error
      : new FixpointError('internal', `unexpected ${nameOf(error)}; see the worker’s log`);
  return ApplicationFailure.create({
    type: known.code,
    message: known.message.slice(0, 2_000),
    nonRetryable: errorPolicies[known.code].retry === 'never',
  });
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : 'error');

type Activity = (input: never) => Promise<unknown>;

/** The same activities, each with its errors translated and the unexpected ones logged once. */
export function translating<A extends Record<string, Activity>>(
  activities: A,
  onUnexpected: (name: string, error: unknown) => void,
): A {
  const wrapped = Object.entries(activities).map(([name, activity]) => [
    name,
    async (input: never) => {
      try {
        return await activity(input);
      } catch (error) {
        if (!(error instanceof FixpointError)) onUnexpected(name, error);
        throw toApplicationFailure(error);
      }
    },
  ]);
  return Object.fromEntries(wrapped) as A; // The same names with the same types.
}
