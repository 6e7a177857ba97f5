import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { signedTask } from '../../activities/task-signer.ts';
import type { TaskReport } from '../../contracts/task.ts';
import { lossCrashPoints } from '../../platform/crash-point.ts';
import { readInventory } from '../../redis/inventory.ts';
import { EnrolmentSite, isDead, patient } from '../support/enrolment-site.ts';
import { eventually } from '../support/eventually.ts';
import { GatewayHost } from '../support/gateway-host.ts';
import { testSigner } from '../support/signing.ts';
import type { SupervisedAgent } from '../support/supervised-agent.ts';

type Point = keyof typeof lossCrashPoints.gateway;

describe('a gateway that dies while it gives Redis back what that lost', () => {
  const name = 'steady';
  let host: GatewayHost;
  let site: EnrolmentSite;
  let agent: SupervisedAgent;
  before(async () => {
    host = await GatewayHost.start({ agents: 0 });
    await host.stopGateway();
    site = await EnrolmentSite.start(host, 'gateway-of-a-loss');
    agent = await site.enrols(name);
    await site.isOnline(name);
  });
  after(async () => {
    await agent?.remove();
    await site?.stop();
    await host.stop();
  });

  const loseAll = async () => {
    await host.redis.flushall();
    await host.allow();
  };

  /** The list of who is enrolled is whole again, and the agent has a session. */
  async function inventory(point: Point): Promise<void> {
    site.gateway.process.arm(point);
    await loseAll();
    await isDead(site.gateway, point);

    await eventually(async () => {
      const { complete, agents } = await readInventory(host.redis);
      assert.deepEqual([complete, agents.map(({ agentId }) => agentId)], [true, [agent.agentId]]);
    }, patient);
    await site.gateway.isReady();
    await site.isOnline(name);
  }

  /** The task is known again by its job, which ran once, and its end is what the host says. */
  async function recreation(point: Point): Promise<void> {
    const key = `key-${point}`;
    const [evidence, go] = [join(agent.state, `${point}.ran`), join(agent.state, `${point}.go`)];
    const { agentId } = agent;
    const journalId = agent.read('journal-id') ?? '';
    const plain = host.task({ slot: key, targets: [{ agentId, journalId }] });
    const content = `echo ran >>"${evidence}"\nwhile [ ! -e "${go}" ]; do sleep 0.05; done\n`;
    const task = await signedTask(testSigner, {
      ...{ key, task: { ...plain, action: { ...plain.action, content } } },
    });
    const { taskId } = (await site.gateway.call('/v1/tasks', task, {
      'idempotency-key': key,
    })) as TaskReport;
    await eventually(() => assert.ok(existsSync(evidence)), patient);
    // The first word on the job that comes after the loss has the task made again: an ack, or the end.
    site.gateway.process.arm(point);
    await loseAll();

    writeFileSync(go, '');
    await isDead(site.gateway, point);

    await eventually(async () => {
      const report = (await site.gateway.call(`/v1/tasks/${taskId}`)) as TaskReport;
      assert.deepEqual([report.state, report.letters], ['finished', 's']);
    }, patient);
    assert.equal(readFileSync(evidence, 'utf8'), 'ran\n');
  }

  const walks: Readonly<Record<Point, (point: Point) => Promise<void>>> = {
    'before-inventory': inventory,
    'after-inventory': inventory,
    'before-recreate': recreation,
    'after-recreate': recreation,
  };
  for (const [point, boundary] of Object.entries(lossCrashPoints.gateway)) {
    // Only names of the table are listed.
    it(`${point}: ${boundary}`, () => walks[point as Point](point as Point));
  }
});
