import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { LabelPair } from '../contracts/alert.ts';
import {
  type AlertRef,
  type AlertsSignal,
  type MailboxInput,
  type MailboxSettings,
  signalNames,
  taskQueues,
  workflowIds,
  workflowTypes,
} from '../contracts/temporal.ts';
import type { Clock } from '../platform/clock.ts';
import { attributeKeys } from '../platform/search-attributes.ts';

/** A mailbox, whether it is open or not. */
export type MailboxAddress = {
  readonly policy: string;
  readonly groupId: string;
  readonly group: readonly LabelPair[];
  readonly settings: MailboxSettings;
};

/** `absent`: no such mailbox is open, and the signal was not to open one. */
export type SignalOutcome = 'delivered' | 'absent';

/** How alerts reach mailboxes. Rejects when it is not known whether a signal was stored. */
export type MailboxSignals = {
  signal(of: {
    readonly address: MailboxAddress;
    readonly alerts: readonly AlertRef[];
    /** A firing opens the mailbox; a resolved or late alert never does (rules R2, R4). */
    readonly withStart: boolean;
  }): Promise<SignalOutcome>;
};

const callMs = 5_000;
const keywordMax = 255;

export const mailboxIdOf = (address: MailboxAddress): string =>
  workflowIds.mailbox(address.policy, address.groupId);

/** Mailbox signals over a Temporal client; each call ends within 5 s. */
export function temporalMailboxes(of: {
  readonly client: Client;
  readonly clock: Clock;
}): MailboxSignals {
  return {
    signal: ({ address, alerts, withStart }) =>
      of.client.withDeadline(of.clock.now() + callMs, () =>
        withStart
          ? signalWithStart(of.client, address, alerts)
          : signalOpen(of.client, address, alerts),
      ),
  };
}

async function signalWithStart(
  client: Client,
  address: MailboxAddress,
  alerts: readonly AlertRef[],
): Promise<SignalOutcome> {
  const input: MailboxInput = { ...address };
  const signal: AlertsSignal = { alerts };
  const severity = alerts[0]?.severity ?? '';
  await client.workflow.signalWithStart(workflowTypes.mailbox, {
    workflowId: mailboxIdOf(address),
    taskQueue: taskQueues.workflows,
    args: [input],
    signal: signalNames.alerts,
    signalArgs: [signal],
    staticSummary: `policy ${address.policy} · group ${groupText(address)}`.slice(0, keywordMax),
    typedSearchAttributes: [
      { key: attributeKeys.policy, value: address.policy },
      { key: attributeKeys.group, value: address.groupId },
      { key: attributeKeys.severity, value: severity.slice(0, keywordMax) },
    ],
  });
  return 'delivered';
}

async function signalOpen(
  client: Client,
  address: MailboxAddress,
  alerts: readonly AlertRef[],
): Promise<SignalOutcome> {
  const signal: AlertsSignal = { alerts };
  try {
    await client.workflow.getHandle(mailboxIdOf(address)).signal(signalNames.alerts, signal);
    return 'delivered';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'absent';
    throw error;
  }
}

const groupText = (address: MailboxAddress): string =>
  address.group.map(([name, value]) => `${name}=${value}`).join(', ') || 'all';
