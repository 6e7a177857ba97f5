import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { alertmanagerBody, alertmanagerFingerprint } from '../../../cli/alertmanager-body.ts';
import { demoAlert } from '../../../cli/demo-alert.ts';

const now = Date.parse('2026-03-04T05:06:07.008Z');

const bodyOf = (alert: ReturnType<typeof demoAlert>) =>
  alertmanagerBody({
    alert,
    receiver: 'fixpoint',
    groupBy: ['alertname', 'service'],
    externalUrl: 'http://127.0.0.1:9093',
  });

describe('the body of Alertmanager', () => {
  it('has the fingerprint that Prometheus computes for the same labels', () => {
    // Values of signature_test.go in prometheus/common.
    const labels: [string, string][] = [
      ['name', 'garland, briggs'],
      ['fear', 'love is not enough'],
    ];

    assert.equal(alertmanagerFingerprint([]), 14695981039346656037n.toString(16));
    assert.equal(alertmanagerFingerprint(labels), 5799056148416392346n.toString(16));
    assert.equal(alertmanagerFingerprint(labels.reverse()), 5799056148416392346n.toString(16));
  });

  it('of a firing demo is what Alertmanager 0.34 posts', () => {
    const alert = demoAlert({ demo: 'service-down', agent: 'agent-2', now, resolved: false });
    const labels = {
      alertname: 'DemoServiceDown',
      instance: 'agent-2:8482',
      job: 'demo',
      service: 'demo',
      severity: 'page',
    };
    const annotations = { summary: 'agent-2: the demo service does not answer its health check' };

    assert.deepEqual(bodyOf(alert), {
      receiver: 'fixpoint',
      status: 'firing',
      alerts: [
        {
          status: 'firing',
          labels,
          annotations,
          startsAt: '2026-03-04T05:06:07.008Z',
          endsAt: '0001-01-01T00:00:00Z',
          generatorURL: '',
          fingerprint: alertmanagerFingerprint(Object.entries(labels)),
        },
      ],
      groupLabels: { alertname: 'DemoServiceDown', service: 'demo' },
      commonLabels: labels,
      commonAnnotations: annotations,
      externalURL: 'http://127.0.0.1:9093',
      version: '4',
      groupKey: '{}:{alertname="DemoServiceDown", service="demo"}',
      truncatedAlerts: 0,
      notification_reason: 'first notification',
      routeLabels: {},
    });
  });

  it('of a resolved demo keeps the fingerprint and says when it ended', () => {
    const firing = demoAlert({ demo: 'disk-full', agent: 'agent-1', now, resolved: false });
    const over = demoAlert({ demo: 'disk-full', agent: 'agent-1', now, resolved: true });

    const body = JSON.stringify(bodyOf(over));

    assert.equal(alertmanagerFingerprint(over.labels), alertmanagerFingerprint(firing.labels));
    assert.match(body, /"status":"resolved".*"endsAt":"2026-03-04T05:06:07\.008Z"/);
  });
});
