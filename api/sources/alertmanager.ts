import { z } from 'zod';
import { type Alert, type LabelPair, labelPair, type Quarantined } from '../../contracts/alert.ts';
import { limits } from '../../contracts/limits.ts';
import { fingerprintOf } from '../../domain/fingerprint.ts';
import { deliveryIdOf } from '../../domain/ids.ts';
import { instantOf } from '../../domain/instant.ts';
import { sha256, sha256Hex } from '../../platform/digest.ts';

export const alertmanagerSource = 'alertmanager';

/** A body's entries: those that are alerts, and those that are not, with their position or −1. */
export type ParsedBody = {
  readonly alerts: readonly Alert[];
  readonly quarantined: readonly { readonly index: number; readonly entry: Quarantined }[];
};

type Flaw = { readonly field: string; readonly value: unknown; readonly reason: string };
type Body = {
  readonly groupKey: string;
  readonly truncated: boolean;
  readonly alerts: readonly unknown[];
};

/**
 * An Alertmanager webhook body, version "4" (webhooks.md 4.1), entry by entry: one that is unusable
 * is quarantined and takes nothing else with it. Unknown keys are ignored. Never throws, whatever
 * the bytes are. Labels are read as pairs, because `__proto__` is a legal name.
 */
export function parseAlertmanager(raw: Buffer, receivedAt: string): ParsedBody {
  const body = readBody(raw);
  if ('reason' in body) {
    const entry = quarantine(body, { receivedAt, rawDigest: sha256Hex(raw) });
    return { alerts: [], quarantined: [{ index: -1, entry }] };
  }
  const alerts: Alert[] = [];
  const quarantined: { index: number; entry: Quarantined }[] = [];
  for (const [index, data] of body.alerts.entries()) {
    const rawDigest = sha256Hex(textOf(data));
    const found = readEntry(data, { body, receivedAt, rawDigest });
    if ('reason' in found) {
      quarantined.push({ index, entry: quarantine(found, { receivedAt, rawDigest }) });
    } else alerts.push(found);
  }
  return { alerts, quarantined };
}

const head = z.object({
  version: z.literal('4'),
  groupKey: z.string().max(64 * 1024),
  alerts: z.array(z.unknown()),
  truncatedAlerts: z.unknown().optional(),
});

function readBody(raw: Buffer): Body | Flaw {
  let data: unknown;
  try {
    data = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw));
  } catch {
    // Its bytes may be anything, so nothing of them is shown.
    return { field: 'body', value: `${raw.length} bytes`, reason: 'is not JSON in UTF-8' };
  }
  const parsed = head.safeParse(data);
  if (!parsed.success) return flawOf(data, parsed.error);
  const { groupKey, alerts, truncatedAlerts = 0 } = parsed.data;
  // Anything but a plain zero leaves it unknown which hosts are meant (invariant 6).
  return { groupKey, alerts, truncated: truncatedAlerts !== 0 };
}

const time = z
  .string()
  .max(64)
  .refine(isUsableTime, { error: 'must be an RFC 3339 time between 1970 and 2200' });

const entryHead = z.object({
  status: z.enum(['firing', 'resolved']),
  startsAt: time,
  endsAt: z.unknown().optional(),
  labels: z.custom<object>(isPlainObject, { error: 'must be an object of names and texts' }),
  annotations: z.unknown().optional(),
  fingerprint: z
    .string()
    .regex(/^[\x21-\x7e]{0,128}$/, { error: 'must be at most 128 printable characters' })
    .optional(),
});

function readEntry(
  data: unknown,
  of: { readonly body: Body; readonly receivedAt: string; readonly rawDigest: string },
): Alert | Flaw {
  const parsed = entryHead.safeParse(data);
  if (!parsed.success) return flawOf(data, parsed.error);
  const { status, startsAt } = parsed.data;
  const end = status === 'resolved' ? time.safeParse(parsed.data.endsAt) : null;
  if (end !== null && !end.success) {
    return {
      field: 'endsAt',
      value: parsed.data.endsAt,
      reason: 'a resolved alert must say when it ended, between 1970 and 2200',
    };
  }
  const labels = readLabels(parsed.data.labels);
  if (!Array.isArray(labels)) return labels;
  const fingerprint = parsed.data.fingerprint || fingerprintOf(alertmanagerSource, labels, sha256);
  const senderKey = JSON.stringify([of.body.groupKey, fingerprint, status, startsAt]);
  const labelOf = (name: string) => labels.find(([found]) => found === name)?.[1] ?? '';
  return {
    source: alertmanagerSource,
    fingerprint,
    status,
    startsAt,
    endsAt: end?.data ?? null,
    name: labelOf('alertname'),
    severity: labelOf('severity'),
    labels,
    annotations: readAnnotations(parsed.data.annotations),
    receivedAt: of.receivedAt,
    deliveryId: deliveryIdOf(alertmanagerSource, senderKey, sha256),
    rawDigest: of.rawDigest,
    truncated: of.body.truncated,
  };
}

const bytesOf = (text: string): number => Buffer.byteLength(text);
const byName = ([left]: LabelPair, [right]: LabelPair): number =>
  left < right ? -1 : left > right ? 1 : 0;

/** Labels decide what is done, so one that is wrong in any way makes the entry unusable. */
function readLabels(found: object): LabelPair[] | Flaw {
  const pairs = Object.entries(found);
  const flaw = (field: string, value: unknown, reason: string): Flaw => ({ field, value, reason });
  if (pairs.length === 0) return flaw('labels', found, 'must have at least one label');
  if (pairs.length > limits.labelsMax) {
    return flaw('labels', pairs.length, `has more than ${limits.labelsMax} labels`);
  }
  const labels: LabelPair[] = [];
  for (const [name, value] of pairs) {
    const field = `labels.${name.slice(0, 100)}`;
    if (bytesOf(name) > limits.labelNameBytes) {
      return flaw(field, value, `its name has more than ${limits.labelNameBytes} bytes`);
    }
    const parsed = labelPair.safeParse([name, value]);
    if (!parsed.success) return flaw(field, value, 'must be text under a name');
    if (bytesOf(parsed.data[1]) > limits.labelValueBytes) {
      return flaw(field, value, `has more than ${limits.labelValueBytes} bytes`);
    }
    labels.push(parsed.data);
  }
  // A mailbox takes at most so much in one signal (rule R14).
  if (bytesOf(JSON.stringify(labels)) > limits.signalBytes / 2) {
    return flaw('labels', pairs.length, `has more than ${limits.signalBytes / 2} bytes in all`);
  }
  return labels.sort(byName);
}

/** Annotations decide nothing: what is too long is cut, what is no text is left out. */
function readAnnotations(found: unknown): LabelPair[] {
  if (!isPlainObject(found)) return [];
  let left: number = limits.signalBytes;
  return Object.entries(found)
    .flatMap(([name, value]): LabelPair[] => {
      const isShort = name !== '' && bytesOf(name) <= limits.labelNameBytes;
      return typeof value === 'string' && isShort ? [[name, value]] : [];
    })
    .slice(0, limits.labelsMax)
    .map(([name, value]): LabelPair => {
      const allowed = Math.max(0, Math.min(limits.labelValueBytes, left));
      const kept = cut(value, allowed);
      left -= bytesOf(kept);
      return [name, kept];
    })
    .sort(byName);
}

const cut = (text: string, bytes: number): string =>
  bytesOf(text) <= bytes ? text : `${text.slice(0, Math.floor(bytes / 3))}…`;

function isPlainObject(value: unknown): value is object {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** Also keeps times within the 20 digits that tombstones compare. */
function isUsableTime(text: string): boolean {
  const instant = instantOf(text);
  return instant !== null && instant >= 0n && instant < 7_258_118_400_000_000_000n;
}

function flawOf(data: unknown, error: z.ZodError): Flaw {
  const [issue] = error.issues;
  const path = issue?.path.map(String) ?? [];
  const value = path.reduce<unknown>(
    (found, key) =>
      isPlainObject(found) ? Object.entries(found).find(([name]) => name === key)?.[1] : found,
    data,
  );
  return {
    field: path.join('.') || 'body',
    value: path.length === 0 ? typeof data : value,
    reason: value === undefined ? 'is missing' : (issue?.message ?? 'is not valid'),
  };
}

const quarantine = (
  flaw: Flaw,
  of: { readonly receivedAt: string; readonly rawDigest: string },
): Quarantined => ({
  source: alertmanagerSource,
  ...of,
  field: flaw.field,
  value: shown(flaw.value),
  reason: flaw.reason,
});

/** JSON text of a value, cut: enough to recognise it by. */
function shown(value: unknown): string {
  const text = textOf(value);
  return text.length <= limits.quarantineValueBytes
    ? text
    : `${text.slice(0, limits.quarantineValueBytes - 1)}…`;
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return ''; // Nested deeper than the stack reaches: it has no text that could be shown.
  }
}
