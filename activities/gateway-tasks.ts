import type { TaskReport, TaskSubmit } from '../contracts/task.ts';
import type { GatewayActivities } from '../contracts/temporal.ts';

/** The gateway as activities need it. Every call is safe to repeat. */
export type GatewayClient = {
  /** Throws `conflict` if the key was used with another body, `upstream_unavailable` if nobody answers. */
  submit(of: { readonly key: string; readonly task: TaskSubmit }): Promise<TaskReport>;
  /** `null` if the gateway does not know the key. */
  poll(key: string): Promise<TaskReport | null>;
  cancel(of: { readonly key: string; readonly reason: string }): Promise<void>;
};

/** Submit, probe, poll and cancel: thin, so that all deciding stays in the workflow (X1). */
export function gatewayActivities(deps: { readonly gateway: GatewayClient }): GatewayActivities {
  const { gateway } = deps;
  return {
    submitTask: (input) => gateway.submit(input),
    probe: (input) => gateway.submit(input),
    pollTask: ({ key }) => gateway.poll(key),
    cancelTask: (input) => gateway.cancel(input),
  };
}
