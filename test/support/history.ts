import type { temporal } from '@temporalio/proto';

type History = temporal.api.history.v1.IHistory;
type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** The events of a history, in order. */
export const eventsOf = (history: History): readonly HistoryEvent[] => history.events ?? [];

/** The durations of all timers, in milliseconds, in the order they were started. */
export const timersOf = (history: History): readonly number[] =>
  eventsOf(history).flatMap((event) => {
    const timeout = event.timerStartedEventAttributes?.startToFireTimeout;
    return timeout === undefined || timeout === null
      ? []
      : [Number(timeout.seconds ?? 0) * 1_000 + (timeout.nanos ?? 0) / 1_000_000];
  });
