import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeRecords, type JournalRecord } from '../../agent/journal-record.ts';
import { systemProcesses } from '../../agent/process-table.ts';
import { createAuthority } from '../../agent-gateway/certificates.ts';
import type { JobReport } from '../../contracts/task.ts';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from './agent-host.ts';
import { eventually } from './eventually.ts';
import { FakeGateway } from './fake-gateway.ts';

const sideBySide = 5;

/**
 * Cancels `count` jobs of one real agent at about the moment they end, and holds each report
 * against the order of its journal (rule R9). Says how many went either way.
 */
export async function cancelAgainstExit(
  count: number,
): Promise<{ readonly cancelled: number; readonly ended: number }> {
  const authority = await createAuthority(systemClock);
  const gateway = await FakeGateway.start(authority);
  const host = await AgentHost.create(authority);
  const agent = await host.start(gateway.url);
  try {
    await gateway.connected();
    const reports = new Map<string, JobReport>();
    const race = async () => {
      const sleep = (systemClock.random() * 0.1).toFixed(3);
      const jobId = gateway.dispatch(host.order(`sleep ${sleep}\n`));
      // Not the agent's word: that is not told of a script which is over at once.
      const pidFile = join(host.root, 'jobs', jobId, 'pid');
      await eventually(() => assert.ok(existsSync(pidFile)), { withinMs: 30_000 });
      await systemClock.sleep(systemClock.random() * 200);
      gateway.send({ type: 'cancel', jobId, reason: 'operator' });
      reports.set(jobId, await gateway.result(jobId, 1, 60_000));
    };
    for (let done = 0; done < count; done += sideBySide) {
      await Promise.all(Array.from({ length: Math.min(sideBySide, count - done) }, race));
    }
    await agent.stop();
    return judged(recordsOf(host), reports, gateway);
  } finally {
    await host.remove();
    await gateway.stop();
  }
}

const isRunning = (gateway: FakeGateway, jobId: string): boolean =>
  gateway.acks.some((ack) => ack.jobId === jobId && ack.state === 'running');

const recordsOf = (host: AgentHost): readonly JournalRecord[] => {
  const folder = join(host.root, 'journal');
  return readdirSync(folder).flatMap(
    (name) => decodeRecords(readFileSync(join(folder, name))).records,
  );
};

function judged(
  records: readonly JournalRecord[],
  reports: ReadonlyMap<string, JobReport>,
  gateway: FakeGateway,
) {
  let cancelled = 0;
  for (const [jobId, report] of reports) {
    const kinds = records.filter(({ body }) => body.jobId === jobId).map(({ body }) => body.kind);
    const stop = kinds.indexOf('stop_requested');
    assert.equal(kinds.filter((kind) => kind === 'finished').length, 1, `${jobId}: ${kinds}`);
    const isStopped = stop >= 0 && stop < kinds.indexOf('finished');
    assert.equal(report.state, isStopped ? 'cancelled' : 'succeeded', `${jobId}: ${kinds}`);
    const told = gateway.results.filter((each) => each.jobId === jobId);
    assert.equal(new Set(told.map((each) => each.report.state)).size, 1, `${jobId} told two ends`);
    if (isStopped) cancelled += 1;
  }
  return { cancelled, ended: reports.size - cancelled };
}

/**
 * Runs `jobs` long scripts on each of `agents` real agents, half of them deaf to TERM, cancels all
 * at once and returns how long after that the last process was gone, in milliseconds.
 */
export async function cancelMany(of: {
  readonly agents: number;
  readonly jobs: number;
  readonly killGraceMs: number;
}): Promise<number> {
  const authority = await createAuthority(systemClock);
  const hosts = await Promise.all(
    Array.from({ length: of.agents }, async () => ({
      gateway: await FakeGateway.start(authority),
      machine: await AgentHost.create(authority),
    })),
  );
  try {
    const running: { gateway: FakeGateway; jobId: string; leader: number }[] = [];
    for (const { gateway, machine } of hosts) {
      await machine.start(gateway.url, { killGraceMs: of.killGraceMs });
      await gateway.connected();
      const ids = Array.from({ length: of.jobs }, (_, at) =>
        gateway.dispatch(machine.order(at % 2 === 0 ? 'sleep 600\n' : 'trap "" TERM; sleep 600\n')),
      );
      await eventually(() => assert.ok(ids.every((jobId) => isRunning(gateway, jobId))), {
        withinMs: 60_000,
      });
      for (const jobId of ids) {
        const leader = Number(readFileSync(join(machine.root, 'jobs', jobId, 'pid'), 'utf8'));
        running.push({ gateway, jobId, leader });
      }
    }
    const begin = performance.now();
    for (const { gateway, jobId } of running) {
      gateway.send({ type: 'cancel', jobId, reason: 'operator' });
    }
    for (const { gateway, jobId } of running) {
      assert.equal((await gateway.result(jobId, 1, 60_000)).state, 'cancelled');
    }
    const tookMs = performance.now() - begin;
    for (const { leader } of running) {
      assert.equal(systemProcesses.isGroupAlive(leader), false, `${leader} lives on`);
    }
    return tookMs;
  } finally {
    for (const { gateway, machine } of hosts) {
      await machine.remove();
      await gateway.stop();
    }
  }
}
