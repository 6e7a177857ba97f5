import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { agentView } from '../../contracts/task.ts';
import type { Log } from '../../platform/log.ts';
import { AgentHost } from '../support/agent-host.ts';
import { aToken, Enroller } from '../support/enrolling.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentCredentials, FakeAgent } from '../support/fake-agent.ts';
import { GatewayHost } from '../support/gateway-host.ts';

const lifeMs = 3_000;
/** Life, sweep and a slow machine. */
const patient = { withinMs: 20_000 };

const endOf = (certificate: string) => Date.parse(new X509Certificate(certificate).validTo);

describe('a certificate that runs out while its agent is here', () => {
  let host: GatewayHost;
  before(async () => {
    host = await GatewayHost.start({ agents: 0, clocks: { certificateLifeMs: lifeMs } });
  });
  after(() => host.stop());

  it('ends the session, is let in no more, and leaves those alone that were renewed', async () => {
    const hosts = new Enroller(host);
    const idle = await hosts.enrol((await aToken(host)).token);
    let busy: AgentCredentials = await hosts.enrol((await aToken(host)).token);
    const [idleLink, busyLink] = [
      await FakeAgent.connect(host.agentPort, idle),
      await FakeAgent.connect(host.agentPort, busy),
    ];
    const first = busy;

    const bye = await eventually(
      async () => {
        busy = await hosts.renew(busy);
        const [heard] = idleLink.all('bye');
        assert.ok(heard, 'it is still here');
        return heard;
      },
      { ...patient, everyMs: 200 },
    );

    assert.equal(bye.reason, 'certificate_expired');
    for (const { certificate } of [idle, first]) assert.ok(endOf(certificate) < Date.now());
    assert.ok((await busyLink.ping()).lease, 'the link stayed');
    await assert.rejects(FakeAgent.dial(host.agentPort, idle), /403/);
    await busyLink.cut();
  });

  it('is told by the agent itself, which then waits to be enrolled anew', async () => {
    const machine = await AgentHost.enrolled((await aToken(host, { name: 'unrenewed' })).token);
    // From now on nobody renews it.
    await rm(join(host.directory, 'ca.key'));
    const errors: string[] = [];
    const warnings: string[] = [];
    const log: Log = {
      ...{ debug() {}, info() {}, child: () => log },
      warn: (_, line) => void warnings.push(line),
      error: (_, line) => void errors.push(line),
    };
    const agent = await machine.start(`wss://127.0.0.1:${host.agentPort}`, { log });
    try {
      await eventually(() => assert.ok(agent.isConnected));

      await eventually(() => assert.ok(!agent.isConnected), patient);

      await eventually(() => assert.match(errors.join(), /has run out before it was renewed/));
      const { state } = agentView.parse((await host.call({ path: '/v1/agents/unrenewed' })).body);
      assert.notEqual(state, 'locked');
      const tries = warnings.length;
      await eventually(() => assert.ok(warnings.length > tries + 1, 'it tries on'));
      assert.equal(errors.length, 1, 'and says it once');
    } finally {
      await agent.stop();
      await machine.remove();
    }
  });
});
