import type { Fate, LabelPair } from './alert.ts';

/** What the record of a delivery says, for `alert why`. */
export type DeliveryRecord = {
  readonly deliveryId: string;
  readonly source: string;
  readonly fingerprint: string;
  readonly name: string;
  readonly status: 'firing' | 'resolved';
  readonly startsAt: string;
  readonly receivedAt: string;
  /** One per policy that took it, else one. */
  readonly outcomes: readonly {
    readonly fate: Fate;
    readonly policy: string | null;
    readonly mailboxId: string | null;
    /** Which matchers, or which window and until when; for a guard that kept it. */
    readonly detail?: string;
  }[];
  readonly labels: readonly LabelPair[];
};
