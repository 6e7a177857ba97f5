import type { LabelPair } from '../contracts/alert.ts';

/** A firing or resolved alert as a rule of Prometheus would raise it. Times are Unix milliseconds. */
export type RaisedAlert = {
  readonly labels: readonly LabelPair[];
  readonly annotations: readonly LabelPair[];
  readonly startsAt: number;
  /** Null while it fires. */
  readonly endsAt: number | null;
};

const utf8 = new TextEncoder();
const separator = 0xff;
const mask = (1n << 64n) - 1n;
const prime = 0x100000001b3n;

const sorted = (labels: readonly LabelPair[]): LabelPair[] =>
  [...labels].sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));

/**
 * The fingerprint Prometheus and Alertmanager compute: 64-bit FNV-1a over the sorted labels, names
 * and values each followed by the byte 255; 16 hex digits.
 */
export function alertmanagerFingerprint(labels: readonly LabelPair[]): string {
  let hash = 0xcbf29ce484222325n;
  const add = (byte: number) => {
    hash = ((hash ^ BigInt(byte)) * prime) & mask;
  };
  for (const [name, value] of sorted(labels)) {
    for (const byte of utf8.encode(name)) add(byte);
    add(separator);
    for (const byte of utf8.encode(value)) add(byte);
    add(separator);
  }
  return hash.toString(16).padStart(16, '0');
}

/**
 * One notification of Alertmanager 0.34, version "4" (webhooks.md 4.1 and 8): one group of one
 * alert, grouped by `groupBy`. A firing alert carries the zero time as its end.
 */
export function alertmanagerBody(of: {
  readonly alert: RaisedAlert;
  readonly receiver: string;
  readonly groupBy: readonly string[];
  readonly externalUrl: string;
}): object {
  const { alert } = of;
  const labels = Object.fromEntries(sorted(alert.labels));
  const annotations = Object.fromEntries(sorted(alert.annotations));
  const group = sorted(alert.labels).filter(([name]) => of.groupBy.includes(name));
  const status = alert.endsAt === null ? 'firing' : 'resolved';
  const key = group.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ');
  return {
    receiver: of.receiver,
    status,
    alerts: [
      {
        status,
        labels,
        annotations,
        startsAt: new Date(alert.startsAt).toISOString(),
        endsAt:
          alert.endsAt === null ? '0001-01-01T00:00:00Z' : new Date(alert.endsAt).toISOString(),
        generatorURL: '',
        fingerprint: alertmanagerFingerprint(alert.labels),
      },
    ],
    groupLabels: Object.fromEntries(group),
    commonLabels: labels,
    commonAnnotations: annotations,
    externalURL: of.externalUrl,
    version: '4',
    groupKey: `{}:{${key}}`,
    truncatedAlerts: 0,
    notification_reason: status === 'firing' ? 'first notification' : 'all alerts resolved',
    routeLabels: {},
  };
}
