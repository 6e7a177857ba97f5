import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text as read } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { taskQueues, workflowTypes } from '../../contracts/temporal.ts';
import { aRemediation } from '../support/builders.ts';
import { runInProcess } from '../support/cli-run.ts';
import { startCoreWorkers } from '../support/core-workers.ts';
import { eventually } from '../support/eventually.ts';
import { temporalClient } from '../support/intake-product.ts';
import { planOf, ScriptedGateway } from '../support/scripted-gateway.ts';
import { startTemporal, type TemporalServer } from '../support/temporal-server.ts';

const clone = fileURLToPath(new URL('../../', import.meta.url));

describe('workflow replay-open', () => {
  let temporal: TemporalServer;
  let client: ReturnType<typeof temporalClient>;
  const input = aRemediation();

  before(async () => {
    temporal = await startTemporal();
    client = temporalClient(temporal.address);
    const gateway = new ScriptedGateway();
    const { recorded: _, ...activities } = gateway.activities(planOf(2));
    const { address } = temporal;
    const workers = await startCoreWorkers({ address, activities, gateway: true });
    await client.client.workflow.start(workflowTypes.remediation, {
      ...{ workflowId: input.remediationId, taskQueue: taskQueues.workflows, args: [input] },
    });
    await eventually(() => assert.equal(gateway.submitted.length, 1));
    await workers.stop();
  });
  after(async () => {
    await client.stop();
    await temporal.stop();
  });

  const environment = () => ({ PATH: process.env['PATH'], TEMPORAL_ADDRESS: temporal.address });

  it('an open run that this version goes on with is told so, and the status is 0', async () => {
    const argv = ['workflow', 'replay-open', '--limit', '5', '-o', 'json'];

    const { status, out, err } = await runInProcess(argv, {
      environment: { TEMPORAL_ADDRESS: temporal.address },
    });

    assert.deepEqual([status, err], [0, '']);
    const rows = JSON.parse(out) as Record<string, unknown>[];
    assert.deepEqual(
      rows.map(({ id, type, result }) => [id, type, result]),
      [[input.remediationId, 'remediation', 'goes on']],
    );
  });

  it('a version whose workflows do something else is found out, with status 1 and the difference', async () => {
    const folder = await mkdtemp(join(clone, '.swapped-'));
    try {
      for (const part of ['workflows', 'domain', 'contracts', 'platform', 'package.json']) {
        await cp(join(clone, part), join(folder, part), { recursive: true });
      }
      const tool = join(folder, 'tools', 'replay-open.ts');
      await cp(join(clone, 'tools', 'replay-open.ts'), tool);
      const file = join(folder, 'workflows', 'batch-attempts.ts');
      const text = await readFile(file, 'utf8');
      const swapped = text.replace("activity: 'submitTask'", "activity: 'probe'");
      assert.notEqual(swapped, text);
      await writeFile(file, swapped);

      const child = spawn(process.execPath, [tool], { env: environment() });
      const ended = once(child, 'exit');
      const out = await read(child.stdout);
      const [status] = await ended;

      assert.equal(status, 1);
      const row = JSON.parse(out) as Record<string, unknown>;
      assert.deepEqual([row['id'], row['result']], [input.remediationId, 'differs']);
      assert.match(String(row['detail']), /probe|submitTask/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('a Temporal that is not there is told with status 7, never as runs that go on', async () => {
    const argv = ['workflow', 'replay-open'];

    const { status, err } = await runInProcess(argv, {
      environment: { TEMPORAL_ADDRESS: '127.0.0.1:1' },
    });

    assert.equal(status, 7);
    assert.match(err, /open runs cannot be read/);
  });
});
