import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkStart, type Reader, type Readiness, readOrder } from '../../../agent/task-check.ts';
import { limits } from '../../../contracts/limits.ts';
import type { Job } from '../../../contracts/task.ts';
import { plainReport } from '../../../domain/job.ts';

const me = { agentId: '0123456789ab', journalId: '0'.repeat(26) };
const digestOf = (content: string) => `sha256:${content.repeat(64)}`;

const aJob = (over: Partial<Job> = {}): Job => ({
  version: 1,
  taskId: `t${'a'.repeat(25)}`,
  ...me,
  slot: 'slot',
  attempt: 1,
  action: 'script',
  contentDigest: digestOf('a'),
  interpreter: 'sh',
  args: [],
  env: {},
  secretEnv: {},
  stdin: { kind: 'none' },
  cwd: null,
  limits: { timeoutMs: 1_000, outputBytes: 1_000 },
  notAfter: 1_000,
  task: { size: 1, callback: null },
  ...over,
});

const read = (
  job: Job,
  content = 'a',
  of: { readonly jobId?: string; readonly distrust?: Reader['distrust'] } = {},
) => {
  const { jobId = `${job.taskId}.${job.agentId}`, distrust = () => null } = of;
  const reader = { ...me, distrust, digestOf };
  const order = readOrder({ jobId, job: JSON.stringify(job), content }, reader);
  return order.kind === 'refused' ? order.report.reason : order.kind;
};

const nothingReady: Readiness = {
  gatewayTime: 2_000,
  hostTime: 1_000 + limits.hostClockLeewayMs + 1,
  isStopped: true,
  hasLease: false,
  isSlotAlive: true,
  jobsRunning: limits.agentJobsMax,
  hasSecrets: false,
  userRefusal: plainReport('refused', 'local_policy'),
};

const check = (now: Readiness) => {
  const verdict = checkStart({ notAfter: 1_000 }, now);
  return verdict.kind === 'ended'
    ? `${verdict.report.state} ${verdict.report.reason}`
    : verdict.kind;
};

describe('the checks of a job', () => {
  it('look at signature, target, journal and script in this order', () => {
    const wrong = { agentId: 'zzzzzzzzzzzz', journalId: '1'.repeat(26) };

    assert.equal(read(aJob(wrong), 'b', { distrust: () => 'no' }), 'bad_signature');
    assert.equal(read(aJob(wrong), 'b'), 'wrong_target');
    assert.equal(read(aJob({ journalId: wrong.journalId }), 'b'), 'wrong_journal');
    assert.equal(read(aJob(), 'b'), 'digest_mismatch');
    assert.equal(read(aJob()), 'job');
  });

  it('refuse a job under another job’s id', () => {
    assert.equal(read(aJob(), 'a', { jobId: `t${'b'.repeat(25)}.${me.agentId}` }), 'invalid_job');
  });

  it('go through the order of design 5.6', () => {
    const steps: readonly [Partial<Readiness>, string][] = [
      [{}, 'expired not_after'],
      [{ gatewayTime: 500 }, 'expired not_after'],
      [{ gatewayTime: null, hostTime: 1_000 + limits.hostClockLeewayMs }, 'refused stopped'],
      [{ isStopped: false }, 'refused clock_unknown'],
      [{ gatewayTime: 1_000 }, 'refused no_lease'],
      [{ hasLease: true }, 'refused previous_attempt_alive'],
      [{ isSlotAlive: false }, 'refused local_policy'],
      [{ userRefusal: null }, 'refused busy'],
      [{ jobsRunning: limits.agentJobsMax - 1 }, 'refused no_such_secret'],
      [{ hasSecrets: true }, 'start'],
    ];

    let now = nothingReady;
    for (const [change, expected] of steps) {
      now = { ...now, ...change };
      assert.equal(check(now), expected);
    }
  });
});
