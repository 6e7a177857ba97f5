import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type Link, OutputSpool, type SpoolDeps } from '../../../agent/output-spool.ts';
import type { AgentFrame } from '../../../contracts/frames.ts';
import { plainReport } from '../../../domain/job.ts';
import { noCrashPoints } from '../../../platform/crash-point.ts';
import { silentLog } from '../../../platform/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const jobId = `t${'a'.repeat(25)}.0123456789ab`;

function aSpool(report: ReturnType<typeof plainReport> | undefined, written = '') {
  const frames: AgentFrame[] = [];
  const output: string[] = [];
  const link: Link = {
    ...{ isOpen: true, backlogBytes: 0 },
    sendOutput: ({ offset, data }) => output.push(`${offset} ${data}`),
    send: (frame) => frames.push(frame),
  };
  const read = (of: { readonly stream: string; readonly offset: number }) =>
    Buffer.from(of.stream === 'stdout' ? written.slice(of.offset) : '');
  const deps = {
    journal: { entry: () => ({ jobId, stored: false, report }) },
    state: { jobFolder: () => ({ read }) },
    executor: { visible: () => ({ stdout: written.length, stderr: 0 }) },
    clock: new ManualClock(),
    log: silentLog,
    crashAt: noCrashPoints,
  } as unknown as SpoolDeps; // What a spool asks of them here, and no more.
  return { spool: new OutputSpool(deps, link), frames, output };
}

describe('output spool', () => {
  it('keeps nothing of a job whose result is stored, so that a long session does not grow', () => {
    const { spool, frames } = aSpool(plainReport('succeeded', null));
    spool.begin(jobId, { stdout: 0, stderr: 0 });

    assert.equal(spool.has(jobId), true);
    spool.forget(jobId);

    assert.equal(spool.has(jobId), false);
    assert.deepEqual(
      frames.map(({ type }) => type),
      ['result'],
    );
  });

  it('a job that runs is not forgotten by a word about an earlier result', () => {
    const { spool } = aSpool(undefined);
    spool.begin(jobId, { stdout: 0, stderr: 0 });

    spool.forget(jobId);

    assert.equal(spool.has(jobId), true);
  });

  it('a gateway that has lost output of a running job gets it again', async () => {
    const { spool, output } = aSpool(undefined, 'abcdef');
    spool.begin(jobId, { stdout: 0, stderr: 0 });
    await setImmediate();

    spool.begin(jobId, { stdout: 2, stderr: 0 });
    await setImmediate();

    assert.deepEqual(output, ['0 abcdef', '2 cdef']);
  });
});
