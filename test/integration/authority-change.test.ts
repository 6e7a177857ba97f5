import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { rotateAuthority } from '../../cli/authority-rotation.ts';
import { type AgentView, agentView } from '../../contracts/task.ts';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { aToken, Enroller } from '../support/enrolling.ts';
import { eventually } from '../support/eventually.ts';
import { FakeAgent } from '../support/fake-agent.ts';
import { GatewayHost } from '../support/gateway-host.ts';
import { testKeyPem } from '../support/signing.ts';

const lifeMs = 4_000;

describe('an authority that is changed while jobs run', () => {
  let host: GatewayHost;
  let machine: AgentHost;
  let keyFile: string;
  before(async () => {
    host = await GatewayHost.start({ agents: 0, clocks: { certificateLifeMs: lifeMs } });
    keyFile = join(host.directory, 'signing-key');
    writeFileSync(keyFile, testKeyPem);
    machine = await AgentHost.enrolled((await aToken(host, { name: 'steady' })).token);
    machine.spawn(`wss://127.0.0.1:${host.agentPort}`);
    await isOnline();
  });
  after(async () => {
    await machine.remove();
    await host.stop();
  });

  const view = async (): Promise<AgentView> =>
    agentView.parse((await host.call({ path: '/v1/agents/steady' })).body);
  const isOnline = () => eventually(async () => assert.equal((await view()).state, 'online'));
  const rotate = (phase: 'publish' | 'use' | 'drop') =>
    rotateAuthority({ keyFile, certificates: host.directory }, { phase, clock: systemClock });
  const submit = async (key: string, content: string): Promise<string> => {
    const { agentId, journalId } = machine;
    const task = host.task({ slot: key, targets: [{ agentId, journalId }] });
    const { body } = await host.submitSigned(key, { ...task, action: { ...task.action, content } });
    return (body as { taskId: string }).taskId;
  };

  it('loses neither a session nor a job, and the old one opens nothing afterwards', async () => {
    const stolen = await new Enroller(host).enrol((await aToken(host)).token);
    const { sessionId } = await view();
    const record = `echo started >> ${machine.evidence}`;
    const long = await submit(
      'key-change-long',
      `${record}; while [ ! -f ${machine.evidence}.go ]; do sleep 0.1; done`,
    );
    let count = 0;
    const work = async () => {
      count += 1;
      await host.letters(await submit(`key-change-${count}`, record), 's');
    };
    /** The next phase, once its turn has come, with a job before and after. */
    const pass = async (phase: 'publish' | 'use' | 'drop') => {
      await work();
      await eventually(() => rotate(phase), { withinMs: 3 * lifeMs, everyMs: 250 });
      await work();
    };

    await pass('publish');
    await eventually(() => {
      const bundle = readFileSync(join(machine.root, 'trust.json'), 'utf8');
      const ours = readFileSync(join(host.directory, 'trust.json'), 'utf8');
      assert.equal(bundle, ours, 'the agent has heard of it');
    });
    await pass('use');
    await pass('drop');

    writeFileSync(`${machine.evidence}.go`, '');
    await host.letters(long, 's');
    assert.equal(machine.starts(), count + 1);
    assert.equal((await view()).sessionId, sessionId, 'the link stayed');
    await eventually(() => assert.rejects(FakeAgent.dial(host.agentPort, stolen)));
    await host.stopGateway();
    await host.startGateway();
    await isOnline();
    assert.notEqual((await view()).sessionId, sessionId);
    await work();
  });
});
