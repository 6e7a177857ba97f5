import type { GatewayActivities, SubmitInput } from '../contracts/activities.ts';
import type { TaskReport } from '../contracts/task.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import { signedTask, type TaskSigner } from './task-signer.ts';

/** The gateway as activities need it. Every call is safe to repeat. */
export type GatewayClient = {
  /** Throws `conflict` if the key was used with another body, `upstream_unavailable` if nobody answers. */
  submit(of: SubmitInput): Promise<TaskReport>;
  /** `null` if the gateway does not know the key. */
  poll(key: string): Promise<TaskReport | null>;
  cancel(of: { readonly key: string; readonly reason: string }): Promise<void>;
};

/** Submit, probe, poll and cancel: thin, so that all deciding stays in the workflow (X1). */
export function gatewayActivities(deps: {
  readonly gateway: GatewayClient;
  readonly signer: TaskSigner;
  readonly crash: CrashPoints<'activities'>;
}): GatewayActivities {
  const { gateway, signer, crash } = deps;
  const submit: GatewayActivities['submitTask'] = async (input) => {
    const task = await signedTask(signer, input);
    crash('before-submit');
    const report = await gateway.submit({ ...input, task });
    crash('after-submit');
    return report;
  };
  return {
    submitTask: submit,
    probe: submit,
    async pollTask({ key }) {
      const report = await gateway.poll(key);
      crash('after-poll');
      return report;
    },
    async cancelTask(input) {
      await gateway.cancel(input);
      crash('after-cancel');
    },
  };
}
