import type { WorkflowInterceptors } from '@temporalio/workflow';

/** In milliseconds: less than anything here is counted in. */
const little = 0.5;

/**
 * The time-skipping server (1.38, 1.39) takes the deadline of an activity that lies on a whole second for none, and tries
 * the activity for ever. Half a millisecond keeps deadlines off it.
 */
export const interceptors = (): WorkflowInterceptors => ({
  outbound: [
    {
      scheduleActivity(input, next) {
        const { scheduleToCloseTimeout: deadline } = input.options;
        if (deadline === undefined) return next(input);
        if (typeof deadline === 'string')
          throw new TypeError(`the deadline ${deadline} is no number`);
        const scheduleToCloseTimeout = deadline + little;
        return next({ ...input, options: { ...input.options, scheduleToCloseTimeout } });
      },
    },
  ],
});
