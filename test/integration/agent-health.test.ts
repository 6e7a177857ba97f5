import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Agent } from '../../agent/agent.ts';
import { type HealthServer, serveHealth } from '../../agent/health-server.ts';
import { createAuthority } from '../../agent-gateway/certificates.ts';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGateway } from '../support/fake-gateway.ts';

describe('an agent’s health', () => {
  let gateway: FakeGateway;
  let host: AgentHost;
  let agent: Agent;
  let server: HealthServer;
  before(async () => {
    const authority = await createAuthority(systemClock);
    gateway = await FakeGateway.start(authority);
    host = await AgentHost.create(authority);
    agent = await host.start(gateway.url);
    server = await serveHealth({ host: '127.0.0.1', port: 0, health: () => agent.health() });
  });
  after(async () => {
    await server.close();
    await host.remove();
    await gateway.stop();
  });

  const get = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return { status: answer.status, text: await answer.text() };
  };
  const readyIs = (status: number, line: RegExp) =>
    eventually(async () => {
      const ready = await get('/readyz');
      assert.equal(ready.status, status);
      assert.match(ready.text, line);
    });

  it('ready is a session, a lease and no stop; live is the process', async () => {
    await readyIs(200, /^link: ok\nstart lease: ok\nstop: ok\n$/);

    Object.assign(gateway.answer, { lease: false, stopped: true });
    await readyIs(503, /^link: ok\nstart lease: none\nstop: the kill switch/);
    Object.assign(gateway.answer, { lease: true, stopped: false });
    host.write('stop', '');
    await readyIs(503, /^link: ok\nstart lease: ok\nstop: .*stop file/);
    rmSync(join(host.root, 'stop'));
    gateway.drop();
    await readyIs(503, /^link: no session/);

    assert.deepEqual(await get('/livez'), { status: 200, text: 'ok\n' });
    await readyIs(200, /^link: ok/);
  });

  it('its metrics count what ran, and say nothing of the host', async () => {
    await gateway.result(gateway.dispatch(host.order('true')));
    await gateway.result(gateway.dispatch(host.order('exit 7')));

    const { text } = await get('/metrics');

    assert.match(text, /^fixpoint_agent_jobs_total\{outcome="succeeded"\} 1$/m);
    assert.match(text, /^fixpoint_agent_jobs_total\{outcome="failed"\} 1$/m);
    assert.match(text, /^fixpoint_agent_connected 1$/m);
    assert.match(text, /^fixpoint_certificate_days_left 39\d/m);
    assert.ok(!text.includes(host.agentId));
    assert.equal((await get('/secrets')).status, 404);
  });
});
