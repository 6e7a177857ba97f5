import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** Times of one activity, Unix milliseconds of the server. */
type ActivityTimes = {
  readonly scheduled: number;
  readonly started: number;
  readonly completed: number;
};

/** What the histories of a repair and its mailbox say about when things happened. */
export type RepairTimes = {
  readonly signalled: number;
  readonly started: number;
  readonly submit: ActivityTimes;
  readonly closed: number;
  readonly remediationEvents: number;
  readonly mailboxEvents: number;
};

/** Reads both histories; the repair must have ended, and be the first of its mailbox. */
export async function repairTimes(
  client: Client,
  of: { readonly remediationId: string; readonly mailboxId: string },
): Promise<RepairTimes> {
  const [remediation, mailbox] = await Promise.all(
    [of.remediationId, of.mailboxId].map(async (id) => {
      const { events } = await client.workflow.getHandle(id).fetchHistory();
      return events ?? [];
    }),
  );
  if (remediation === undefined || mailbox === undefined) throw new Error('two were asked for');
  return {
    signalled: timeOf(mailbox, (event) => event.workflowExecutionSignaledEventAttributes),
    started: timeOf(remediation, (event) => event.workflowExecutionStartedEventAttributes),
    submit: activityTimes(remediation, 'submitTask'),
    closed: timeOf(remediation, (event) => event.workflowExecutionCompletedEventAttributes),
    remediationEvents: remediation.length,
    mailboxEvents: mailbox.length,
  };
}

function activityTimes(events: readonly HistoryEvent[], name: string): ActivityTimes {
  const scheduled = found(
    events,
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === name,
  );
  const isOfIt = (attributes: { scheduledEventId?: unknown } | null | undefined): boolean =>
    String(attributes?.scheduledEventId) === String(scheduled.eventId);
  return {
    scheduled: millisecondsOf(scheduled),
    started: timeOf(events, (event) => isOfIt(event.activityTaskStartedEventAttributes)),
    completed: timeOf(events, (event) => isOfIt(event.activityTaskCompletedEventAttributes)),
  };
}

const timeOf = (
  events: readonly HistoryEvent[],
  matches: (event: HistoryEvent) => unknown,
): number => millisecondsOf(found(events, matches));

function found(
  events: readonly HistoryEvent[],
  matches: (event: HistoryEvent) => unknown,
): HistoryEvent {
  const event = events.find((each) => Boolean(matches(each)));
  if (event === undefined) throw new Error('a history lacks an event that every repair has');
  return event;
}

const millisecondsOf = ({ eventTime }: HistoryEvent): number =>
  Number(String(eventTime?.seconds ?? 0)) * 1_000 + (eventTime?.nanos ?? 0) / 1_000_000;
