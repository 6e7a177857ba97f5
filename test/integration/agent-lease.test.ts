import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Agent } from '../../agent/agent.ts';
import type { Journal } from '../../agent/job-journal.ts';
import { systemProcesses } from '../../agent/process-table.ts';
import { TrustStore } from '../../agent/trust-store.ts';
import { createAuthority } from '../../agent-gateway/certificates.ts';
import { JobLog } from '../../bench/fleet/job-log.ts';
import { SharedJournal } from '../../bench/fleet/shared-journal.ts';
import { simulatedAgent } from '../../bench/fleet/simulated-agent.ts';
import { WallClock } from '../../bench/wall-clock.ts';
import { jobIdOf } from '../../domain/ids.ts';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { noCrashPoints } from '../../platform/crash-point.ts';
import { silentLog } from '../../platform/log.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGateway } from '../support/fake-gateway.ts';
import { aTrust } from '../support/signing.ts';

const queued = 20;

describe('an agent whose link is cut with jobs queued before its disk', () => {
  const directory = mkdtempSync(join(tmpdir(), 'fixpoint-journal-'));
  let host: AgentHost;
  let gateway: FakeGateway;
  let agent: Agent;
  let journal: SharedJournal;
  let counter: JobLog;
  let skippedMs = 0;
  let release: () => void = () => {};

  before(async () => {
    const authority = await createAuthority(systemClock);
    [gateway, host] = await Promise.all([
      FakeGateway.start(authority),
      AgentHost.create(authority),
    ]);
    const trustFile = join(directory, 'trust.json');
    writeFileSync(trustFile, JSON.stringify(await aTrust()));
    const clock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() + skippedMs };
    const deps = { clock, log: silentLog };
    journal = new SharedJournal({ ...deps, directory, onStored: () => {} });
    counter = new JobLog(new WallClock());
    const isReleased = new Promise<void>((resolve) => {
      release = resolve;
    });
    agent = simulatedAgent(
      {
        ...deps,
        gateways: [gateway.url],
        processes: systemProcesses,
        crashAt: noCrashPoints,
        leaseWaitMs: 300,
        resendAfterMs: 200,
      },
      {
        identity: host.identity(),
        trust: TrustStore.open(trustFile, silentLog),
        journal: { of: (agentId) => slow(journal.of(agentId), isReleased) },
        behaviour: { seed: 1, durationMs: 0, failureRate: 0, exitCode: 1 },
        counter,
      },
    );
    await agent.start();
    await gateway.connected();
  });
  after(async () => {
    await agent.stop();
    await journal.close();
    await host.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  it('starts none of them once its start lease is over', async () => {
    const entryOf = (jobId: string) => journal.of(host.agentId).entry(jobId);
    const orders = Array.from({ length: queued }, () => host.order('exit 0\n'));
    const jobIds = orders.map(({ job }) => jobIdOf(job.taskId, job.agentId));
    for (const order of orders) gateway.dispatch(order);
    await eventually(() => assert.ok(jobIds.every((id) => entryOf(id)?.intent !== undefined)));

    await gateway.stop();
    // As long as a lease lasts; no ping can renew it any more.
    skippedMs = 2_000;
    release();

    await eventually(() => assert.ok(jobIds.every((id) => entryOf(id)?.report !== undefined)));
    const reasons = new Set(jobIds.map((id) => entryOf(id)?.report?.reason));
    assert.deepEqual([...reasons], ['no_lease']);
    assert.equal(counter.jobs, 0);
  });
});

/** A disk that takes an intent at once and says so only when it is released. */
const slow = (journal: Journal, isReleased: Promise<void>): Journal => ({
  ...journal,
  async append(body) {
    await journal.append(body);
    if (body.kind === 'intent') await isReleased;
  },
});
