import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { metricsOf } from '../../tools/metrics-page.ts';
import { eventually } from '../support/eventually.ts';
import { GatewayHost } from '../support/gateway-host.ts';

/** Values that labels may have; everything else would be somebody's text. */
const labelValue = /^[a-z_]{2,24}$|^\+Inf$|^[\d.]+$/;

describe('the metrics of a gateway', () => {
  let host: GatewayHost;
  before(async () => {
    host = await GatewayHost.start({ agents: 2 });
  });
  after(() => host.stop());

  const scrape = async () => (await fetch(`${host.url}/metrics`)).text();
  const probe = async (path: string) => (await fetch(`${host.url}${path}`)).status;

  it('are all described, count what happened, and hold no text of agents or alerts', async () => {
    const agent = await host.connect(1);
    await agent.ping();
    const { body } = await host.submit('key-metrics', host.task({ slot: 'HostDown/web-1' }));
    const { jobId } = await agent.heard('dispatch');
    agent.ack(jobId, 'running');
    agent.output({ jobId, stream: 'stdout', offset: 0, data: Buffer.from('12345') });
    agent.result(jobId, { state: 'refused', reason: 'HostDown on web-1.example' });
    await agent.kept();

    const text = await scrape();
    const lines = text.split('\n').filter((line) => line.startsWith('fixpoint_'));
    const names = new Set(lines.map((line) => line.replace(/(_bucket|_sum|_count)?[{ ].*/, '')));
    for (const { name, help } of metricsOf('agent-gateway')) {
      assert.ok(text.includes(`# HELP ${name} ${help}`), name);
      names.delete(name);
    }
    assert.deepEqual([...names], []);
    for (const line of lines) {
      for (const [, value = ''] of line.matchAll(/="([^"]*)"/g)) assert.match(value, labelValue);
    }
    const { taskId } = body as { taskId: string };
    for (const secret of ['web-1', 'HostDown', taskId, host.agent(1).agentId]) {
      assert.ok(!text.includes(secret), secret);
    }
    assert.match(text, /^fixpoint_job_refusals_total\{reason="other"\} 1$/m);
    assert.match(text, /^fixpoint_jobs_total\{outcome="refused"\} 1$/m);
    assert.match(text, /^fixpoint_output_bytes_total 5$/m);
    assert.match(text, /^fixpoint_tasks_open 1$/m);
    assert.match(text, /^fixpoint_agents_connected 1$/m);
    assert.match(text, /^fixpoint_agents_enrolled 2$/m);
    assert.match(text, /^fixpoint_agent_heartbeat_delay_seconds_count [1-9]/m);
    assert.match(text, /^fixpoint_dispatch_to_ack_seconds_count 1$/m);
    assert.match(text, /^fixpoint_certificate_days_left 39[67]/m);
    assert.match(text, /^fixpoint_control_stopped\{scope="all"\} 0$/m);
  });

  it('without Redis a gateway is live and not ready, and still tells its metrics', async () => {
    await host.redisServer.kill();

    await eventually(async () => assert.equal(await probe('/readyz'), 503));
    assert.equal(await probe('/livez'), 200);
    assert.match(await scrape(), /^fixpoint_agents_enrolled 2$/m);

    await host.redisServer.restart();
    await host.isReady();
  });
});
