import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { ProcessExecutor } from '../../agent/executor.ts';
import { JobJournal } from '../../agent/job-journal.ts';
import type { Intent } from '../../agent/journal-record.ts';
import type { ProcessTable } from '../../agent/process-table.ts';
import { StateDirectory } from '../../agent/state-directory.ts';
import { createAuthority } from '../../agent-gateway/certificates.ts';
import { plainReport } from '../../domain/job.ts';
import { systemClock } from '../../platform/clock.ts';
import { noCrashPoints } from '../../platform/crash-point.ts';
import { silentLog } from '../../platform/log.ts';
import { AgentHost } from '../support/agent-host.ts';

/** A host on which nothing that the journal names lives any more. */
const nothingLives: ProcessTable = {
  bootId: () => 'boot',
  startTimeOf: (pid) => (pid === process.pid ? '1' : null),
  ageMs: () => 0,
  hasArgument: () => false,
  isJobAlive: () => false,
  isGroupAlive: () => false,
  signalGroup: () => {},
  signal: () => {},
  scan: () => [],
  cgroupHome: () => null,
};

let host: AgentHost;
let state: StateDirectory;

/** How far a job came before the agent died; from `prepared` on it may have started. */
const phase = fc.constantFrom('intent', 'prepared', 'started', 'stopped', 'finished', 'stored');
const damage = fc.oneof(
  fc.record({
    kind: fc.constant('truncate' as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.record({
    kind: fc.constant('flip' as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    bit: fc.nat(7),
  }),
  fc.record({ kind: fc.constant('append' as const), bytes: fc.uint8Array({ maxLength: 40 }) }),
);

describe('a damaged journal', () => {
  before(async () => {
    host = await AgentHost.create(await createAuthority(systemClock));
    state = StateDirectory.open(host.root, nothingLives);
  });
  after(() => host.remove());

  it('never forgets a job that may have started, and never stops the agent', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(phase, { minLength: 1, maxLength: 8 }),
        fc.array(damage, { minLength: 1, maxLength: 4 }),
        async (phases, damages) => {
          const jobs = await writeJobs(phases);
          const [file = ''] = readdirSync(state.journal);
          for (const each of damages) spoil(join(state.journal, file), each);

          const journal = await recovered();
          for (const { jobId, phase: reached } of jobs) {
            if (reached === 'intent') continue;
            assert.notEqual(journal.entry(jobId)?.report, undefined, `${jobId} ${reached}`);
          }
          // What the damaged file takes on afterwards is read again.
          journal.write(intentOf(99));
          await journal.close();
          const again = await recovered();
          assert.notEqual(again.entry(intentOf(99).jobId), undefined);
          await again.close();
        },
      ),
      { numRuns: 80 },
    );
  });

  it('keeps the outcomes behind one bad record', async () => {
    const jobs = await writeJobs(['stored', 'finished', 'stored']);
    const path = join(state.journal, readdirSync(state.journal)[0] ?? '');
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
    writeFileSync(path, bytes);

    const journal = JobJournal.open({
      directory: state.journal,
      clock: systemClock,
      log: silentLog,
    });

    assert.deepEqual(
      jobs.map(({ jobId }) => journal.entry(jobId)?.report?.state),
      ['succeeded', 'succeeded', 'succeeded'],
    );
    await journal.close();
  });
});

function intentOf(number: number): Intent {
  return {
    kind: 'intent',
    jobId: `t${'a'.repeat(23)}${'abcdefghijklmnopqrstuvwxyz'.charAt(number % 26)}${2 + (number % 6)}.${host.agentId}`,
    slot: `slot-${number}`,
    attempt: 1,
    bootId: 'boot',
    notAfter: 0,
    timeoutMs: 1_000,
    outputBytes: 1_000,
  };
}

async function writeJobs(phases: readonly string[]) {
  for (const folder of ['journal', 'jobs']) {
    rmSync(join(host.root, folder), { recursive: true, force: true });
    mkdirSync(join(host.root, folder), { mode: 0o700 });
  }
  const journal = JobJournal.open({ directory: state.journal, clock: systemClock, log: silentLog });
  const jobs = phases.map((phase, at) => ({
    phase,
    intent: intentOf(at),
    jobId: intentOf(at).jobId,
  }));
  for (const { phase, intent, jobId } of jobs) {
    const upTo = ['intent', 'prepared', 'started', 'stopped', 'finished', 'stored'].indexOf(phase);
    journal.write(intent);
    if (upTo >= 1) {
      const plain = {
        content: 'true',
        stdin: { kind: 'none' as const },
        secretPieces: [],
        owner: null,
      };
      const signed = { text: '{}', signature: null };
      state.jobFolder(jobId).prepare({ intent, signed, ...plain });
    }
    if (upTo >= 2) journal.write({ kind: 'started', jobId, pid: 1, startTime: '9', startedAt: 1 });
    if (upTo === 3) journal.write({ kind: 'stop_requested', jobId, reason: 'timeout' });
    if (upTo >= 4)
      journal.write({ kind: 'finished', jobId, report: plainReport('succeeded', null) });
    if (upTo >= 5) journal.write({ kind: 'stored', jobId });
  }
  await journal.close();
  return jobs;
}

function spoil(
  path: string,
  how:
    | { kind: 'truncate'; at: number }
    | { kind: 'flip'; at: number; bit: number }
    | { kind: 'append'; bytes: Uint8Array },
): void {
  const bytes = readFileSync(path);
  if (how.kind === 'append') {
    writeFileSync(path, Buffer.concat([bytes, how.bytes]));
    return;
  }
  const at = Math.min(bytes.length - 1, Math.floor(how.at * bytes.length));
  if (at < 0) return;
  if (how.kind === 'truncate') writeFileSync(path, bytes.subarray(0, at));
  else {
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << how.bit), at);
    writeFileSync(path, bytes);
  }
}

async function recovered(): Promise<JobJournal> {
  const journal = JobJournal.open({ directory: state.journal, clock: systemClock, log: silentLog });
  const executor = new ProcessExecutor({
    state,
    journal,
    processes: nothingLives,
    clock: systemClock,
    log: silentLog,
    crashAt: noCrashPoints,
    jobEnvironment: {},
    runAsAllow: null,
    killGraceMs: 0,
    killWaitMs: 0,
    onOutput: () => {},
    onFinished: () => {},
  });
  await executor.recover();
  executor.close();
  return journal;
}
