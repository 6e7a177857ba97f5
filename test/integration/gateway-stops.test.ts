import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { GatewayFrame } from '../../contracts/frames.ts';
import type { TaskReport } from '../../contracts/task.ts';
import { eventually } from '../support/eventually.ts';
import type { FakeAgent } from '../support/fake-agent.ts';
import { GatewayHost } from '../support/gateway-host.ts';

const keyOf = (policy: string, n: number) =>
  `remediation:${policy}:web~0badcafe:12345678-${n}/restart/1/1`;
const leaseOf = ({ lease, stopped }: Extract<GatewayFrame, { type: 'pong' }>) => ({
  lease,
  stopped,
});
const granted = { lease: true, stopped: false };
const none = { lease: false, stopped: true };
// Jobs of other policies are refused for now, and not for good.
const noneForNow = { lease: false, stopped: false };

describe('a gateway while a part is stopped', () => {
  let host: GatewayHost;
  let one: FakeAgent;
  let two: FakeAgent;

  before(async () => {
    host = await GatewayHost.start({ agents: 2 });
    [one, two] = await Promise.all([host.connect(1), host.connect(2)]);
  });
  after(async () => {
    await Promise.all([one.cut(), two.cut()]);
    await host.stop();
  });

  const submitted = async (key: string, agents: readonly number[]): Promise<TaskReport> => {
    const targets = agents.map((number) => {
      const { agentId, journalId } = host.agent(number);
      return { agentId, journalId };
    });
    const answer = await host.submit(key, host.task({ targets }));
    assert.equal(answer.status, 201);
    return answer.body as TaskReport; // What the route promises, and other tests check.
  };
  const untilLease = (agent: FakeAgent, lease: typeof granted) =>
    eventually(async () => assert.deepEqual(leaseOf(await agent.ping()), lease));
  const given = (agent: FakeAgent, { taskId }: TaskReport) =>
    agent.all('dispatch').filter(({ jobId }) => jobId.startsWith(taskId));

  it('agents of a stopped domain get no lease and no job, others get both; allowed, they get them too', async () => {
    await host.stopOnly({ domain: 'name=agent-1' });
    await untilLease(one, none);
    const task = await submitted('some-other-task', [1, 2]);

    await eventually(() => assert.equal(given(two, task).length, 1));
    two.result(given(two, task)[0]?.jobId ?? '');
    await host.letters(task.taskId, '.s');
    assert.deepEqual(leaseOf(await two.ping()), granted);
    assert.deepEqual(leaseOf(await one.ping()), none);
    assert.deepEqual(given(one, task), []);

    await host.allow();
    await eventually(() => assert.equal(given(one, task).length, 1));
    one.result(given(one, task)[0]?.jobId ?? '');
    await host.letters(task.taskId, 'ss');
    await untilLease(one, granted);
  });

  it('queued jobs of a stopped policy are not written, also on a new link, and those of another are', async () => {
    await host.stopOnly({ policy: 'restart-web' });
    await eventually(async () => {
      const answer = await fetch(`${host.url}/metrics`, {});
      assert.match(await answer.text(), /fixpoint_control_stopped\{scope="policy restart-web"\} 1/);
    });
    const stopped = await submitted(keyOf('restart-web', 1), [1]);
    const other = await submitted(keyOf('restart-db', 1), [1]);

    await eventually(() => assert.equal(given(one, other).length, 1));
    one.result(given(one, other)[0]?.jobId ?? '');
    await host.letters(other.taskId, 's');
    await one.cut();
    one = await host.connect(1);
    const third = await submitted(keyOf('restart-db', 2), [1]);
    await eventually(() => assert.equal(given(one, third).length, 1));
    one.result(given(one, third)[0]?.jobId ?? '');

    assert.deepEqual(given(one, stopped), []);
    assert.equal((await host.report(stopped.taskId)).letters, '.');
    assert.deepEqual(leaseOf(await one.ping()), granted);
    await host.allow();
    await eventually(() => assert.equal(given(one, stopped).length, 1));
    one.result(given(one, stopped)[0]?.jobId ?? '');
    await host.letters(stopped.taskId, 's');
  });

  it('an agent that was given a job of a policy and has not answered gets no lease once it is stopped', async () => {
    const task = await submitted(keyOf('restart-web', 2), [1]);
    await eventually(() => assert.equal(given(one, task).length, 1));
    await host.stopOnly({ policy: 'restart-web' });

    await untilLease(one, noneForNow);
    assert.deepEqual(leaseOf(await two.ping()), granted);
    one.ack(given(one, task)[0]?.jobId ?? '', 'running');
    await untilLease(one, granted);

    one.result(given(one, task)[0]?.jobId ?? '');
    await host.letters(task.taskId, 's');
    await host.allow();
  });
});
