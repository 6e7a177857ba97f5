import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Fleet } from '../../bench/fleet/fleet.ts';
import { issueShards, readIdentities } from '../../bench/fleet/identity-shards.ts';
import type { TaskReport } from '../../contracts/task.ts';
import { systemClock } from '../../platform/clock.ts';
import { eventually } from '../support/eventually.ts';
import { GatewayHost } from '../support/gateway-host.ts';
import { aTrust } from '../support/signing.ts';

const count = 200;

describe('a fleet of simulated agents on a real gateway', () => {
  let host: GatewayHost;
  let fleet: Fleet;
  let targets: { agentId: string; journalId: string }[];
  const directory = mkdtempSync(join(tmpdir(), 'fixpoint-shards-'));

  before(async () => {
    host = await GatewayHost.start({ agents: 0 });
    const { authority } = host;
    const shards = await issueShards({
      ...{ directory, authority, count, clock: systemClock },
      ...{ prefix: 'sim', say: () => {} },
    });
    const identities = readIdentities(shards, { from: 0, count });
    for (const { record } of identities) await host.register(record);
    targets = identities.map(({ record }) => record);
    const trustFile = join(directory, 'trust.json');
    writeFileSync(trustFile, JSON.stringify(await aTrust()));
    fleet = await Fleet.start(systemClock, {
      ...{ shards, count, mode: 'whole', authority: authority.certificate, trustFile },
      gateways: [`wss://127.0.0.1:${host.agentPort}`],
      behaviour: { seed: 7, durationMs: 50, failureRate: 0.1, exitCode: 3 },
    });
    await fleet.connected(count, { withinMs: 30_000 });
  });
  after(async () => {
    await fleet.stop();
    await host.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const finished = (taskId: string): Promise<TaskReport> =>
    eventually(
      async () => {
        const report = await host.report(taskId);
        if (report.state !== 'finished') throw new Error(`the letters are ${report.letters}`);
        return report;
      },
      { withinMs: 30_000 },
    );

  it('every host of a task reports once, and nothing starts twice', async () => {
    const answer = await host.submitSigned('fleet/once', host.task({ targets }));
    const { taskId } = answer.body as TaskReport;

    const { letters } = await finished(taskId);

    assert.match(letters, /^[sf]{200}$/);
    const failed = [...letters].filter((letter) => letter === 'f').length;
    assert.ok(failed > 5 && failed < 40, `${failed} of 200 failed, at a rate of 0.1`);
    await eventually(async () => {
      const { startedAt, storedAt } = await fleet.timesOf(taskId);
      assert.deepEqual([startedAt.length, storedAt.length], [count, count]);
    });
    const { jobs, startedTwice } = await fleet.status();
    assert.deepEqual({ jobs, startedTwice }, { jobs: count, startedTwice: 0 });
  });

  it('a gateway that restarts in the middle of a task loses none and starts none again', async () => {
    const before = await fleet.status();
    const answer = await host.submitSigned(
      'fleet/restart',
      host.task({ targets, slot: 'other/step' }),
    );
    const { taskId } = answer.body as TaskReport;

    await host.stopGateway();
    await host.startGateway();

    const { letters } = await finished(taskId);
    assert.match(letters, /^[sf]{200}$/);
    const { jobs, startedTwice } = await fleet.status();
    assert.deepEqual({ jobs, startedTwice }, { jobs: before.jobs + count, startedTwice: 0 });
  });
});
