import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseAlertmanager } from '../../../api/sources/alertmanager.ts';
import { alert as alertSchema } from '../../../contracts/alert.ts';
import { limits } from '../../../contracts/limits.ts';
import { aBody, anEntry } from '../../support/alertmanager-posts.ts';

const receivedAt = '2026-01-01T00:01:00.000Z';
const parse = (body: unknown) =>
  parseAlertmanager(
    Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
    receivedAt,
  );

describe('an Alertmanager body', () => {
  it('becomes alerts with the sender’s fingerprint and nanoseconds', () => {
    const [alert] = parse(aBody()).alerts;

    assert.equal(alert?.fingerprint, 'a1b2c3d4e5f60718');
    assert.equal(alert.startsAt, '2026-01-01T00:00:10.123456789Z');
    assert.equal(alert.endsAt, null);
    assert.deepEqual([alert.name, alert.severity], ['ServiceDown', 'page']);
    assert.equal(alert.deliveryId.length, 26);
    assert.equal(alert.truncated, false);
  });

  it('a delivery is known by group, fingerprint, status and start, and by nothing else', () => {
    const idOf = (entry: object, over: object = {}) =>
      parse(aBody([anEntry({ ...entry })], { ...over })).alerts[0]?.deliveryId;
    const first = idOf({});

    assert.equal(idOf({ annotations: {} }, { receiver: 'other' }), first);
    for (const [entry, over] of [
      [{ fingerprint: 'other' }, {}],
      [{ startsAt: '2026-01-01T00:00:11Z' }, {}],
      [{ status: 'resolved', endsAt: receivedAt }, {}],
      [{}, { groupKey: 'other' }],
    ] as const) {
      assert.notEqual(idOf(entry, over), first);
    }
  });

  it('labels of any name are pairs in order, __proto__ and constructor included', () => {
    const text = JSON.stringify(aBody([anEntry({ labels: { b: '1', constructor: '2' } })])).replace(
      '"b"',
      '"__proto__":"3","主机":"4","b"',
    );

    assert.deepEqual(parse(text).alerts[0]?.labels, [
      ['__proto__', '3'],
      ['b', '1'],
      ['constructor', '2'],
      ['主机', '4'],
    ]);
  });

  it('a list that was cut marks every entry; so does a count that is no number', () => {
    for (const truncatedAlerts of [1, '3', null]) {
      const { alerts } = parse(aBody([anEntry(), anEntry()], { truncatedAlerts }));
      assert.deepEqual(
        alerts.map(({ truncated }) => truncated),
        [true, true],
      );
    }
    assert.equal(
      parse(aBody([anEntry()], { truncatedAlerts: undefined })).alerts[0]?.truncated,
      false,
    );
  });

  it('an entry without a fingerprint gets one of its labels', () => {
    const [one, other] = parse(
      aBody([anEntry({ fingerprint: undefined }), anEntry({ fingerprint: '' })]),
    ).alerts;
    assert.match(one?.fingerprint ?? '', /^[0-9a-f]{16}$/);
    assert.equal(one?.fingerprint, other?.fingerprint);
  });

  it('each flaw of an entry names its field, its value and the reason', () => {
    const many = Object.fromEntries(Array.from({ length: 129 }, (_, at) => [`l${at}`, 'x']));
    const wide = Object.fromEntries(
      Array.from({ length: 4 }, (_, at) => [`l${at}`, 'x'.repeat(limits.labelValueBytes)]),
    );
    const table: [Record<string, unknown>, string, RegExp][] = [
      [{ status: 'acked' }, 'status', /firing/],
      [{ startsAt: undefined }, 'startsAt', /missing/],
      [{ startsAt: '0001-01-01T00:00:00Z' }, 'startsAt', /between 1970 and 2200/],
      [{ startsAt: '2026-02-30T00:00:00Z' }, 'startsAt', /RFC 3339/],
      [{ status: 'resolved' }, 'endsAt', /when it ended/],
      [{ labels: undefined }, 'labels', /missing/],
      [{ labels: [] }, 'labels', /object/],
      [{ labels: {} }, 'labels', /at least one/],
      [{ labels: { a: 1 } }, 'labels.a', /text/],
      [{ labels: many }, 'labels', /128 labels/],
      [{ labels: wide }, 'labels', /bytes in all/],
      [{ labels: { ['n'.repeat(1025)]: 'x' } }, `labels.${'n'.repeat(100)}`, /name/],
      [{ fingerprint: 'a b' }, 'fingerprint', /printable/],
    ];
    for (const [over, field, reason] of table) {
      const { alerts, quarantined } = parse(aBody([anEntry(), anEntry(over)]));
      assert.equal(alerts.length, 1);
      assert.deepEqual([quarantined[0]?.index, quarantined[0]?.entry.field], [1, field]);
      assert.match(quarantined[0]?.entry.reason ?? '', reason);
      assert.ok((quarantined[0]?.entry.value.length ?? 999) <= limits.quarantineValueBytes);
    }
  });

  it('long annotations are cut and odd ones left out: they never cost the alert', () => {
    const annotations = { long: 'x'.repeat(100_000), odd: 7, summary: 'short' };
    const [alert] = parse(aBody([anEntry({ annotations })])).alerts;

    assert.deepEqual(
      alert?.annotations.map(([name]) => name),
      ['long', 'summary'],
    );
    assert.ok((alert?.annotations[0]?.[1].length ?? 0) <= limits.labelValueBytes);
    assert.equal(parse(aBody([anEntry({ annotations: 'none' })])).alerts.length, 1);
  });

  it('whatever the bytes, it never throws and every entry is an alert or quarantined', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const { alerts, quarantined } = parseAlertmanager(Buffer.from(bytes), receivedAt);
        assert.equal(alerts.length + quarantined.length, 1);
      }),
    );
    const entry = fc.record(
      {
        status: fc.oneof(fc.constantFrom('firing', 'resolved'), fc.jsonValue()),
        startsAt: fc.oneof(fc.constant(receivedAt), fc.jsonValue()),
        endsAt: fc.oneof(fc.constant(receivedAt), fc.jsonValue()),
        labels: fc.oneof(fc.dictionary(fc.string(), fc.string()), fc.jsonValue()),
        annotations: fc.jsonValue(),
        fingerprint: fc.oneof(fc.string(), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(entry, fc.jsonValue()), { maxLength: 5 }), (entries) => {
        const { alerts, quarantined } = parse(aBody(entries));
        assert.equal(alerts.length + quarantined.length, entries.length);
        for (const alert of alerts) alertSchema.parse(alert);
      }),
    );
  });
});
