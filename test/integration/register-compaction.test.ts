import assert from 'node:assert/strict';
import { appendFileSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { lineOf, type RegisterRecord } from '../../agent-gateway/register-records.ts';
import { limits } from '../../contracts/limits.ts';
import { agentView } from '../../contracts/task.ts';
import { registerCrashPoints } from '../../platform/crash-point.ts';
import { EnrolmentSite, patient } from '../support/enrolment-site.ts';
import { eventually } from '../support/eventually.ts';
import { GatewayHost } from '../support/gateway-host.ts';

describe('a gateway that dies while it makes the register shorter', () => {
  let host: GatewayHost;
  let site: EnrolmentSite;
  before(async () => {
    host = await GatewayHost.start();
    site = await EnrolmentSite.start(host, 'gateway-2');
  });
  after(async () => {
    await site?.stop();
    await host.stop();
  });

  const path = () => join(host.directory, 'issued.jsonl');
  const of = (at: number) => ({
    ...{ agentId: '0123456789ab', serial: `${at}`, issuedAt: at, notAfter: at + 1 },
    keyDigest: 'd'.repeat(64),
  });
  /** Half a year of renewals of a host that is gone. */
  function grow(): void {
    const lines: string[] = [];
    const gone: RegisterRecord = {
      ...{ kind: 'issue', ...of(0), name: 'gone', labels: {}, journalId: '0'.repeat(26) },
    };
    if (!readFileSync(path(), 'utf8').includes('"gone"')) lines.push(lineOf(gone));
    for (let bytes = 0, at = 1; bytes < 1.1 * limits.registerBytes; at += 1) {
      const line = lineOf({ kind: 'renewal', ...of(at) });
      bytes += line.length;
      lines.push(line);
    }
    appendFileSync(path(), lines.join(''));
  }
  const namesAt = async (gatewayId?: string) => {
    const { body } = await host.call({ path: '/v1/agents', ...(gatewayId && { gatewayId }) });
    return (body as { items: { name: string }[] }).items.map(({ name }) => name);
  };

  for (const [point, boundary] of Object.entries(registerCrashPoints.gateway)) {
    it(`${point}: ${boundary}`, async () => {
      const agents = [await site.enrols(point)];
      const link = await host.connect(1);
      try {
        await site.isOnline(point);
        const [id] = agents.map(({ agentId }) => agentId);
        grow();
        site.gateway.process.arm(point);
        // It looks when it starts.
        site.gateway.process.arm('after-token');
        await assert.rejects(site.gateway.token({ name: `${point}-late` }), TypeError);

        await eventually(() => {
          const hasDied = site.gateway.process.hasDied(point);
          // The other gateway was first: there must be something to do for this one.
          if (!hasDied && statSync(path()).size < limits.registerBytes) grow();
          assert.ok(hasDied, `it did not die ${point}`);
        }, patient);

        await eventually(
          () => assert.ok(statSync(path()).size < limits.registerBytes / 10),
          patient,
        );
        await site.isOnline(point);
        assert.deepEqual([agents[0]?.agentId, site.idsOf(point)], [id, [id]]);
        agents.push(await site.enrols(`${point}-late`));
        await site.isOnline(`${point}-late`);
        const beside = readdirSync(host.directory).filter((name) => name.endsWith('.shorter'));
        assert.deepEqual(beside, []);
        await eventually(async () => {
          const names = await namesAt();
          for (const name of ['agent-1', 'gone', point, `${point}-late`]) {
            assert.ok(names.includes(name), `${name} is not among ${names.join()}`);
          }
        }, patient);
        assert.ok((await link.ping()).lease, 'the other gateway has not lost its agent');
        const { body } = await host.call({ path: '/v1/agents/agent-1' });
        assert.equal(agentView.parse(body).state, 'online');
      } finally {
        await link.cut();
        for (const agent of agents) await agent.remove();
      }
    });
  }
});
