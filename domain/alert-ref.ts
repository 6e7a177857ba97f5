import type { Alert } from '../contracts/alert.ts';
import type { AlertRef } from '../contracts/temporal.ts';
import { millisecondsOf } from './instant.ts';

/**
 * An alert as its mailbox gets it: of its annotations, which may be long, those alone that the policy's
 * runbook names.
 */
export function alertRefOf(
  alert: Alert,
  of: { readonly late: boolean; readonly annotations: ReadonlySet<string> },
): AlertRef {
  const named = alert.annotations.filter(([name]) => of.annotations.has(name));
  return {
    fingerprint: alert.fingerprint,
    status: alert.status,
    startsAt: alert.startsAt,
    endsAt: alert.endsAt,
    name: alert.name,
    severity: alert.severity,
    labels: alert.labels,
    ...(of.annotations.size === 0 ? {} : { annotations: named }),
    deliveryId: alert.deliveryId,
    receivedAtMs: millisecondsOf(alert.receivedAt) ?? 0,
    late: of.late,
  };
}
