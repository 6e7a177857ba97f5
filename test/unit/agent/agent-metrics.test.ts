import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AgentHealth, metricsText } from '../../../agent/agent-metrics.ts';

const health: AgentHealth = {
  isConnected: true,
  hasLease: false,
  isStopped: false,
  jobsRunning: 2,
  jobsEnded: new Map([
    ['succeeded', 3],
    ['failed', 1],
  ]),
  clockAheadMs: -1_500,
  certificateLeftMs: 43_200_000,
};

describe('the metrics of an agent', () => {
  it('are text as Prometheus reads it: help, type, samples', () => {
    const lines = metricsText(health, 50_000_000).trimEnd().split('\n');
    const samples = lines.filter((line) => !line.startsWith('#'));

    for (const line of lines) {
      assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="\w+"\})? -?\d+(\.\d+)?)$/);
    }
    assert.deepEqual(samples, [
      'fixpoint_agent_connected 1',
      'fixpoint_agent_start_lease 0',
      'fixpoint_agent_stopped 0',
      'fixpoint_agent_jobs_running 2',
      'fixpoint_agent_jobs_total{outcome="succeeded"} 3',
      'fixpoint_agent_jobs_total{outcome="failed"} 1',
      'fixpoint_agent_clock_ahead_seconds -1.5',
      'fixpoint_certificate_days_left 0.5',
      'process_resident_memory_bytes 50000000',
    ]);
  });

  it('leave out a clock that nobody has compared yet', () => {
    assert.doesNotMatch(
      metricsText({ ...health, clockAheadMs: null }, 1),
      /^fixpoint_agent_clock/m,
    );
  });
});
