import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { metricsOf, metricsPage } from '../../../tools/metrics-page.ts';

/** What users may build upon; a metric that is renamed breaks their dashboards. */
const ofGateways = [
  ...['tasks_open', 'jobs_total', 'job_refusals_total', 'agents_connected', 'agents_enrolled'],
  ...['agent_heartbeat_delay_seconds', 'dispatch_to_ack_seconds', 'callback_attempts_total'],
  ...['callback_oldest_seconds', 'output_bytes_total', 'event_loop_delay_seconds'],
  ...['certificate_days_left', 'control_stopped'],
];

/** Labels whose values come from tables of our own or from files of the operator. */
const labels = new Set([
  ...['outcome', 'reason', 'result', 'source', 'fate', 'policy', 'state'],
  // Of an agent's labels, which its operator gives.
  'domain',
  // Of what an operator stopped: a policy or such a label.
  'scope',
]);

describe('docs/metrics.md', () => {
  it('is what the source says; else run: node tools/metrics-page.ts', () => {
    const page = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');

    assert.equal(page, metricsPage());
  });

  it('has every metric of a gateway, each with a help text', () => {
    const metrics = metricsOf('agent-gateway');
    const names = metrics.map(({ name }) => name);

    for (const name of ofGateways) assert.ok(names.includes(`fixpoint_${name}`), name);
    for (const { name, help } of metrics) assert.ok(help.length > 10, name);
  });

  it('has no label for what a host or a sender chooses', () => {
    for (const folder of ['agent-gateway', 'agent', 'api', 'workers']) {
      for (const metric of metricsOf(folder)) {
        for (const label of metric.labels) assert.ok(labels.has(label), metric.name);
        assert.equal(metric.type === 'counter', metric.name.endsWith('_total'), metric.name);
      }
    }
  });
});
