import { ActivityFailure, upsertMemo, upsertSearchAttributes } from '@temporalio/workflow';
import type { EscalationEnd, EscalationInput } from '../contracts/escalation.ts';
import { core, escalating } from './activity-proxies.ts';
import { attributes } from './attributes.ts';
import { lastWordOf } from './last-word.ts';

/**
 * Tells a person of one repair, by a signed webhook that is tried again until it is taken or the time
 * is over. A workflow of its own: the repair that it is about has ended, and frees its hosts meanwhile.
 */
export async function escalation(input: EscalationInput): Promise<EscalationEnd> {
  const end = await send(input);
  upsertSearchAttributes([{ key: attributes.state, value: end.state }]);
  upsertMemo({ reason: end.reason });
  const { remediationId } = input.body.data;
  await core.recordEscalation({ remediationId, policy: input.policy, ...end });
  return end;
}

async function send({ url, body, retryMs }: EscalationInput): Promise<EscalationEnd> {
  const { remediationId, state } = body.data;
  const { sendEscalation } = escalating({ summary: `escalate · ${state}`, retryMs });
  try {
    await sendEscalation({ id: remediationId, url, body });
    return { state: 'sent', reason: null };
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    return { state: 'dead', reason: lastWordOf(error)?.message ?? 'no try came to an end' };
  }
}
