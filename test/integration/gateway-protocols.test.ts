import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { signedTask } from '../../activities/task-signer.ts';
import { protocolVersions } from '../../contracts/frames.ts';
import type { TaskReport } from '../../contracts/task.ts';
import { eventually } from '../support/eventually.ts';
import { FakeAgent } from '../support/fake-agent.ts';
import { GatewayHost } from '../support/gateway-host.ts';
import { aSigningKey, aTrust, testKey, testSigner } from '../support/signing.ts';

const knownToProtocol1 = ['welcome', 'pong', 'dispatch', 'cancel', 'stored', 'bye'];

/** One gateway for all of it; in this order, because the first test brings its trust bundle. */
describe('what depends on the protocol', () => {
  let host: GatewayHost;
  before(async () => {
    host = await GatewayHost.start({ agents: 2 });
  });
  after(() => host.stop());

  const submitted = async (key: string) => {
    const { agentId, journalId } = host.agent(1);
    const targets = [{ agentId, journalId }];
    const answer = await host.submitSigned(key, host.task({ slot: key, targets }));
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
    return answer.body as TaskReport; // What the route promises.
  };

  it('a trust bundle goes to new sessions, and to live ones when its file changes', async () => {
    const [agent, old] = [
      await host.connect(1),
      await FakeAgent.connect(host.agentPort, host.agent(2), 1),
    ];
    const second = await aTrust({ serial: 2, keys: [testKey, aSigningKey()] });

    assert.notDeepEqual((await agent.heard('trust')).bundle, second);
    await host.trust(second);

    assert.deepEqual((await agent.heard('trust', 2)).bundle, second);
    assert.deepEqual(old.all('trust'), []);
    const late = await host.connect(1);
    assert.deepEqual((await late.heard('trust')).bundle, second);
    await Promise.all([late.cut(), old.cut()]);
  });

  for (const protocol of protocolVersions) {
    it(`an agent of ${protocol} is welcomed in it, with a lease, and with trust where it knows what that is`, async () => {
      const agent = await FakeAgent.connect(host.agentPort, host.agent(1), protocol);

      assert.equal((await agent.heard('welcome')).protocol, protocol);
      assert.equal((await agent.ping()).lease, true);
      assert.equal(agent.all('trust').length, protocol >= 2 ? 1 : 0);
      await agent.cut();
    });

    it(`an agent of ${protocol} is given a job, and told that output and result are stored`, async () => {
      const agent = await FakeAgent.connect(host.agentPort, host.agent(1), protocol);
      const { taskId } = await submitted(`key-of-a-job-${protocol}`);

      const { jobId } = await agent.heard('dispatch');
      agent.ack(jobId, 'running');
      agent.output({ jobId, stream: 'stdout', offset: 0, data: Buffer.from('done\n') });
      agent.result(jobId, { stdoutBytes: 5 });

      assert.equal(await agent.kept(), jobId);
      await host.letters(taskId, 's');
      // Version 1 knows no pong that tells of results: it is sent a frame for each.
      assert.equal(agent.all('stored').length, protocol < 2 ? 1 : 0);
      assert.equal(
        agent.all('pong').some(({ stored }) => stored !== undefined),
        protocol >= 2,
      );
      await agent.cut();
    });

    it(`an agent of ${protocol} is given the same bytes in a new session, and the cancel`, async () => {
      const first = await FakeAgent.connect(host.agentPort, host.agent(1), protocol);
      const { taskId } = await submitted(`key-of-a-cancel-${protocol}`);
      const given = await first.heard('dispatch');
      first.ack(given.jobId, 'running');
      await first.cut();
      await host.call({ path: `/v1/tasks/${taskId}/cancel`, body: { reason: 'operator' } });

      const second = await FakeAgent.connect(host.agentPort, host.agent(1), protocol);
      const again = await second.heard('dispatch');
      const cancel = await second.heard('cancel');

      assert.deepEqual([again.job, again.signature], [given.job, given.signature]);
      assert.equal(cancel.jobId, given.jobId);
      second.result(given.jobId, { state: 'cancelled', reason: 'operator', exitCode: null });
      await host.letters(taskId, 'c');
      const unknown = [...first.frames, ...second.frames].filter(
        ({ type }) => protocol < 2 && !knownToProtocol1.includes(type),
      );
      assert.deepEqual(unknown, []);
      await second.cut();
    });
  }

  it('signatures go to the agent as they came, and fit the bytes beside them', async () => {
    const agent = await host.connect(1);
    await host.submitSigned('key-signed', host.task());

    const { job, signature = '' } = await agent.heard('dispatch');

    const bytes = `DSSEv1 33 application/vnd.fixpoint.job+json ${Buffer.byteLength(job)} ${job}`;
    const publicKey = createPublicKey(testKey.publicKey);
    assert.ok(verify(null, Buffer.from(bytes), publicKey, Buffer.from(signature, 'base64')));
    assert.equal(JSON.parse(job).task.key, 'key-signed');
    await agent.cut();
  });

  it('signatures make no other task of a repeat that another key signed; the first ones stay', async () => {
    const agent = await host.connect(1);
    const task = host.task({ slot: 'slot-repeat' });
    const key = 'key-signed-twice';
    const other = { ...testSigner, keyId: aSigningKey().keyId };

    const first = await host.submitSigned(key, task);
    const again = await host.submit(key, await signedTask(other, { key, task }));
    const plain = await host.submit(key, task);
    const changed = await host.submitSigned(key, { ...task, attempt: 2 });

    assert.deepEqual(
      [first.status, again.status, plain.status, changed.status],
      [201, 200, 200, 409],
    );
    const { taskId } = first.body as TaskReport;
    const dispatch = await eventually(() => {
      const found = agent.all('dispatch').find(({ jobId }) => jobId.startsWith(taskId));
      assert.ok(found);
      return found;
    });
    assert.equal(JSON.parse(dispatch.job).keyId, testKey.keyId);
    await agent.cut();
  });
});
