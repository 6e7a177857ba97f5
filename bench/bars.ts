/** One bar of the design: what it allows, what was measured, and whether it holds. */
export type Bar = {
  readonly what: string;
  readonly bar: string;
  readonly measured: number;
  readonly holds: boolean;
};

export const atMost = (what: string, bar: number, measured: number): Bar => ({
  ...{ what, measured, bar: `≤ ${bar}` },
  holds: measured <= bar,
});

export const atLeast = (what: string, bar: number, measured: number): Bar => ({
  ...{ what, measured, bar: `≥ ${bar}` },
  holds: measured >= bar,
});

export const exactly = (what: string, bar: number, measured: number): Bar => ({
  ...{ what, measured, bar: `= ${bar}` },
  holds: measured === bar,
});
