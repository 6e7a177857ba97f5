import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type proto from '@temporalio/proto';
import type { AlertRef, AlertsSignal, MailboxInput } from '../../contracts/temporal.ts';

/** A mailbox as its history tells it; no worker is needed. */
export type MailboxStory = {
  readonly workflowId: string;
  readonly input: MailboxInput;
  readonly signals: readonly AlertsSignal[];
  /** Of all signals, in their order. */
  readonly alerts: readonly AlertRef[];
};

/** Mailboxes whose id holds `part`. Found by listing, which follows with a short delay. */
export async function mailboxesOf(client: Client, part: string): Promise<MailboxStory[]> {
  const stories: MailboxStory[] = [];
  const { executions } = await client.workflowService.listOpenWorkflowExecutions({
    namespace: 'default',
    maximumPageSize: 1000,
  });
  for (const { execution } of executions) {
    const workflowId = execution?.workflowId ?? '';
    if (workflowId.includes(part)) stories.push(await storyOf(client, workflowId));
  }
  return stories;
}

async function storyOf(client: Client, workflowId: string): Promise<MailboxStory> {
  const events = await eventsOf(client, workflowId);
  const first = events[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
  const signals = events.flatMap((event) => {
    const payload = event.workflowExecutionSignaledEventAttributes?.input?.payloads?.[0];
    return payload ? [defaultPayloadConverter.fromPayload<AlertsSignal>(payload)] : [];
  });
  if (!first) throw new Error(`${workflowId} has no input`);
  return {
    workflowId,
    input: defaultPayloadConverter.fromPayload<MailboxInput>(first),
    signals,
    alerts: signals.flatMap(({ alerts }) => alerts),
  };
}

/** By small pages: a signal may have 64 KB, and an answer 4 MB. */
async function eventsOf(client: Client, workflowId: string) {
  const events: proto.temporal.api.history.v1.IHistoryEvent[] = [];
  let nextPageToken: Uint8Array | null | undefined;
  do {
    const page = await client.workflowService.getWorkflowExecutionHistory({
      ...{ namespace: 'default', execution: { workflowId }, maximumPageSize: 32 },
      ...(nextPageToken ? { nextPageToken } : {}),
    });
    events.push(...(page.history?.events ?? []));
    ({ nextPageToken } = page);
  } while (nextPageToken && nextPageToken.length > 0);
  return events;
}
