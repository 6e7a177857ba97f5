import type { CoreActivities, LocalActivities } from '../contracts/activities.ts';
import { type AdmitDeps, admitBatch } from './admit-batch.ts';
import { type PlanDeps, planTargets } from './plan-targets.ts';
import { type HttpProofDeps, probeHttp } from './probe-http.ts';
import { type ControlCache, publishControl } from './publish-control.ts';
import { type RecordDeps, recordOutcome } from './record-outcome.ts';
import { type EscalationDeps, recordEscalation, sendEscalation } from './send-escalation.ts';

export type { AdmitDeps } from './admit-batch.ts';
export { translating } from './failure.ts';
export { type GatewayClient, gatewayActivities } from './gateway-tasks.ts';
export type { PlanDeps } from './plan-targets.ts';
export type { PageAnswer } from './probe-http.ts';
export {
  type CurrentPolicy,
  type GuardAnswer,
  mailboxActivities,
  type StartedWith,
} from './start-remediation.ts';
export type { TaskSigner } from './task-signer.ts';

/** What a repair asks before it touches a host. */
export const questionActivities = (deps: PlanDeps & AdmitDeps): LocalActivities => ({
  planTargets: (input) => planTargets(deps, input),
  admitBatch: (input) => admitBatch(deps, input),
});

/** Activities of queue `fixpoint-activities`. */
export function coreActivities(
  deps: HttpProofDeps &
    RecordDeps &
    EscalationDeps & {
      readonly questions: PlanDeps & AdmitDeps;
      readonly control: ControlCache;
      readonly watchdogHeard: CoreActivities['watchdogHeard'];
    },
): CoreActivities {
  return {
    ...questionActivities(deps.questions),
    watchdogHeard: (input) => deps.watchdogHeard(input),
    probeHttp: (input) => probeHttp(deps, input),
    recordOutcome: (input) => recordOutcome(deps, input),
    sendEscalation: (input) => sendEscalation(deps, input),
    recordEscalation: (input) => recordEscalation(deps, input),
    publishControl: (state) => publishControl(deps, state),
  };
}
