import type { CoreActivities } from '../contracts/activities.ts';
import type { EscalationBody } from '../contracts/escalation.ts';
import { egressRefusal } from '../domain/egress.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Posted } from '../platform/signed-post.ts';

type SendInput = Parameters<CoreActivities['sendEscalation']>[0];
type RecordInput = Parameters<CoreActivities['recordEscalation']>[0];

export type EscalationDeps = {
  readonly egressAllow: readonly string[];
  /** Signs and posts; undefined without a secret. Redirects are not followed. */
  readonly postEscalation:
    | ((of: { readonly url: URL; readonly id: string; readonly body: string }) => Promise<Posted>)
    | undefined;
  /** The page of a repair in Temporal UI, or null if nobody said where that is. */
  readonly pageOf: (remediationId: string) => string | null;
  readonly audit: {
    append(entry: {
      readonly kind: string;
      readonly actor: string;
      readonly object: string;
      readonly detail: Readonly<Record<string, unknown>>;
    }): Promise<unknown>;
  };
  /** `delivered`, `failed` for a try, `dead` for one that nobody took. */
  readonly escalated: (result: 'delivered' | 'failed' | 'dead') => void;
};

/**
 * Makes one try. The message's id is the same in each, so that a receiver knows a repeat. What no
 * further try can help is told as such.
 */
export async function sendEscalation(deps: EscalationDeps, input: SendInput): Promise<void> {
  const url = URL.canParse(input.url) ? new URL(input.url) : null;
  const refusal = url === null ? unusable : egressRefusal(url, deps.egressAllow);
  if (url === null || refusal !== null) {
    throw new FixpointError('forbidden', `${refusal?.value ?? ''} ${refusal?.fix ?? ''}`.trim());
  }
  if (deps.postEscalation === undefined) {
    throw new FixpointError('forbidden', 'FIXPOINT_ESCALATION_SECRET is not set');
  }
  const posted = await deps.postEscalation({
    url,
    id: input.id,
    body: JSON.stringify(withLink(input.body, deps.pageOf(input.id))),
  });
  deps.escalated(posted.kind === 'taken' ? 'delivered' : 'failed');
  if (posted.kind === 'taken') return;
  if (posted.kind === 'gone') throw new FixpointError('gone', 'the receiver answered 410');
  throw new FixpointError('upstream_unavailable', `the receiver: ${posted.why}`);
}

const unusable = { value: '', fix: 'the url of the escalation is none' };

const withLink = (body: EscalationBody, temporalUi: string | null) => ({
  ...body,
  data: { ...body.data, temporalUi },
});

/** Leaves one record of how it ended. Trying it again may leave a second, equal one. */
export async function recordEscalation(deps: EscalationDeps, input: RecordInput): Promise<void> {
  const { remediationId, policy, state, reason } = input;
  await deps.audit.append({
    kind: `escalation.${state}`,
    actor: 'fixpoint',
    object: remediationId,
    detail: { policy, reason },
  });
  if (state === 'dead') deps.escalated('dead');
}
