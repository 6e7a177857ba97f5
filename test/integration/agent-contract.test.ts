// What every agent does with the gateway's words, whatever runs its jobs: the same checks for the
// agent on a host and for the simulated one, which benches and tests put in its place.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemProcesses } from '../../agent/process-table.ts';
import { TrustStore } from '../../agent/trust-store.ts';
import { createAuthority, type KeyPair } from '../../agent-gateway/certificates.ts';
import { JobLog } from '../../bench/fleet/job-log.ts';
import { SharedJournal } from '../../bench/fleet/shared-journal.ts';
import { simulatedAgent } from '../../bench/fleet/simulated-agent.ts';
import { WallClock } from '../../bench/wall-clock.ts';
import { jobBytes } from '../../domain/job-bytes.ts';
import { systemClock } from '../../platform/clock.ts';
import { noCrashPoints } from '../../platform/crash-point.ts';
import { silentLog } from '../../platform/log.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGateway } from '../support/fake-gateway.ts';

/** An agent that talks to a gateway of its own, and how its jobs are told to end. */
type Subject = {
  readonly host: AgentHost;
  readonly gateway: FakeGateway;
  /** How often jobs were started. */
  starts(): number;
  stop(): Promise<void>;
};
/** What a job of the subject does: it takes a while and ends with a status. */
type Work = { readonly seconds?: number; readonly status?: number };

let authority: KeyPair;
before(async () => {
  authority = await createAuthority(systemClock);
});

const scriptOf = (host: AgentHost, { seconds = 0, status = 0 }: Work): string =>
  `echo started >>${host.evidence}; ${seconds > 0 ? `sleep ${seconds};` : ''} exit ${status}\n`;

async function onHost(): Promise<Subject> {
  const [gateway, host] = await Promise.all([
    FakeGateway.start(authority),
    AgentHost.create(authority),
  ]);
  await host.start(gateway.url);
  await gateway.connected();
  const stop = async () => {
    await host.remove();
    await gateway.stop();
  };
  return { host, gateway, starts: () => host.starts(), stop };
}

async function simulated({ seconds = 0, status = 0 }: Work): Promise<Subject> {
  const [gateway, host] = await Promise.all([
    FakeGateway.start(authority),
    AgentHost.create(authority),
  ]);
  const directory = mkdtempSync(join(tmpdir(), 'fixpoint-journal-'));
  const counter = new JobLog(new WallClock());
  const deps = { clock: systemClock, log: silentLog };
  const journal = new SharedJournal({ ...deps, directory, onStored: () => {} });
  const agent = simulatedAgent(
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
      trust: TrustStore.open(join(host.root, 'trust.json'), silentLog),
      journal,
      behaviour: { seed: 1, durationMs: seconds * 1_000, failureRate: 1, exitCode: status },
      counter,
    },
  );
  await agent.start();
  await gateway.connected();
  const stop = async () => {
    await agent.stop();
    await journal.close();
    await host.remove();
    await gateway.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  return { host, gateway, starts: () => counter.jobs + counter.startedTwice, stop };
}

const kinds: Readonly<Record<string, (work: Work) => Promise<Subject>>> = {
  'agent on a host': onHost,
  'simulated agent': simulated,
};

for (const [kind, start] of Object.entries(kinds)) {
  describe(`${kind}: jobs that end at once`, () => {
    let subject: Subject;
    before(async () => {
      subject = await start({});
    });
    after(() => subject.stop());
    const order = (over: Parameters<AgentHost['order']>[1] = {}) =>
      subject.host.order(scriptOf(subject.host, {}), over);
    const refusal = async (sent: ReturnType<typeof order>) => {
      const startsBefore = subject.starts();
      const report = await subject.gateway.result(subject.gateway.dispatch(sent));
      assert.equal(subject.starts(), startsBefore);
      return { state: report.state, reason: report.reason };
    };

    it('a job runs once and its result says so; what is told before it goes only forward', async () => {
      const startsBefore = subject.starts();
      const jobId = subject.gateway.dispatch(order());

      const report = await subject.gateway.result(jobId);

      assert.deepEqual([report.state, report.exitCode], ['succeeded', 0]);
      assert.equal(subject.starts(), startsBefore + 1);
      const acks = subject.gateway.acks.filter((ack) => ack.jobId === jobId);
      // Of the words of one moment the last is sent, and the result may be of the same.
      assert.match(acks.map(({ state }) => state).join(' '), /^(acked ?)?(running)?$/);
    });

    it('a job that comes again is answered from the journal and not started', async () => {
      const sent = order();
      const first = await subject.gateway.result(subject.gateway.dispatch(sent));
      const startsBefore = subject.starts();

      const second = await subject.gateway.result(subject.gateway.dispatch(sent), 2);

      assert.deepEqual(second, first);
      assert.equal(subject.starts(), startsBefore);
    });

    it('a gateway that has lost the job is told its text and signature, and its result again', async () => {
      const sent = order();
      const jobId = subject.gateway.dispatch(sent);
      const first = await subject.gateway.result(jobId);
      const startsBefore = subject.starts();

      subject.gateway.send({ type: 'resync', jobId });

      assert.deepEqual(await subject.gateway.result(jobId, 2), first);
      const told = subject.gateway.jobTexts.find((frame) => frame.jobId === jobId);
      assert.equal(told?.job, jobBytes(sent.job));
      assert.equal(typeof told?.signature, 'string');
      assert.equal(subject.starts(), startsBefore);
    });

    it('a job for another journal is refused, as after the state was restored', async () => {
      const journalId = '0'.repeat(26);

      assert.deepEqual(await refusal(order({ journalId })), {
        state: 'refused',
        reason: 'wrong_journal',
      });
    });

    it('a job for another agent is refused', async () => {
      assert.deepEqual(await refusal(order({ agentId: '0'.repeat(12) })), {
        state: 'refused',
        reason: 'wrong_target',
      });
    });

    it('a script that is not the one that was planned is refused', async () => {
      const { job } = order();

      assert.deepEqual(await refusal({ job, content: 'exit 1\n' }), {
        state: 'refused',
        reason: 'digest_mismatch',
      });
    });

    it('a job that names a secret the host has not is refused', async () => {
      const { state } = await refusal(order({ secretEnv: { TOKEN: 'no-such' } }));

      assert.equal(state, 'refused');
    });

    it('a job that comes too late is expired', async () => {
      const { state } = await refusal(order({ notAfter: Date.now() - 1_000 }));

      assert.equal(state, 'expired');
    });

    it('nothing starts once a pong has told of the kill switch', async () => {
      Object.assign(subject.gateway.answer, { lease: false, stopped: true });
      await eventually(async () => {
        const report = await subject.gateway.result(subject.gateway.dispatch(order()));
        assert.equal(report.reason, 'stopped');
      });

      const told = await refusal(order());

      assert.deepEqual(told, { state: 'refused', reason: 'stopped' });
    });
  });

  describe(`${kind}: jobs that take long`, () => {
    let subject: Subject;
    before(async () => {
      subject = await start({ seconds: 30 });
    });
    after(() => subject.stop());
    const order = (over: Parameters<AgentHost['order']>[1] = {}) =>
      subject.host.order(scriptOf(subject.host, { seconds: 30 }), over);
    const running = (jobId: string) =>
      eventually(() => {
        const { acks } = subject.gateway;
        assert.ok(acks.some((ack) => ack.jobId === jobId && ack.state === 'running'));
      });

    it('a second attempt is refused while the first runs, which a cancel ends', async () => {
      const first = order();
      const jobId = subject.gateway.dispatch(first);
      await running(jobId);

      const second = await subject.gateway.result(
        subject.gateway.dispatch(order({ slot: first.job.slot, attempt: 2 })),
      );
      subject.gateway.send({ type: 'cancel', jobId, reason: 'operator' });
      const cancelled = await subject.gateway.result(jobId);

      assert.equal(second.reason, 'previous_attempt_alive');
      assert.deepEqual([cancelled.state, cancelled.reason], ['cancelled', 'operator']);
    });

    it('a job is ended when its time is up', async () => {
      const limits = { timeoutMs: 300, outputBytes: 1024 };

      const report = await subject.gateway.result(subject.gateway.dispatch(order({ limits })));

      assert.deepEqual([report.state, report.reason], ['timed_out', 'job_timeout']);
    });
  });

  describe(`${kind}: jobs that fail`, () => {
    let subject: Subject;
    before(async () => {
      subject = await start({ status: 3 });
    });
    after(() => subject.stop());

    it('the status is told', async () => {
      const sent = subject.host.order(scriptOf(subject.host, { status: 3 }));

      const report = await subject.gateway.result(subject.gateway.dispatch(sent));

      assert.deepEqual([report.state, report.exitCode], ['failed', 3]);
    });
  });
}
