import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { tailStarts } from '../../../agent/job-output.ts';
import { type Link, OutputSpool, type SpoolDeps } from '../../../agent/output-spool.ts';
import type {
  AgentFrame,
  OutputAnswer,
  OutputFrame,
  OutputStream,
} from '../../../contracts/frames.ts';
import { limits } from '../../../contracts/limits.ts';
import { plainReport } from '../../../domain/job.ts';
import { noCrashPoints } from '../../../platform/crash-point.ts';
import { silentLog } from '../../../platform/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const jobId = `t${'a'.repeat(25)}.0123456789ab`;

/** A report of a job that wrote so much. */
const ended = (stdoutBytes = 0, stderrBytes = 0) => ({
  ...plainReport('succeeded', null),
  stdoutBytes,
  stderrBytes,
});

function aSpool(
  of: {
    readonly report?: ReturnType<typeof ended>;
    readonly stdout?: string;
    readonly stderr?: string;
    readonly backlogBytes?: number;
  } = {},
) {
  const { stdout = '', stderr = '', report, backlogBytes = 0 } = of;
  const frames: AgentFrame[] = [];
  const output: OutputFrame[] = [];
  const answers: OutputAnswer[] = [];
  const link: Link = {
    ...{ isOpen: true, backlogBytes },
    sendOutput: (frame) => output.push(frame),
    sendAnswer: (answer) => answers.push(answer),
    send: (frame) => frames.push(frame),
  };
  const written = { stdout, stderr };
  const read = (asked: { stream: OutputStream; offset: number; bytes: number; size: number }) =>
    Buffer.from(written[asked.stream])
      .subarray(0, asked.size)
      .subarray(asked.offset, asked.offset + asked.bytes);
  const deps = {
    journal: { entry: () => ({ jobId, stored: false, report }) },
    state: { jobFolder: () => ({ read }) },
    executor: { visible: () => ({ stdout: stdout.length, stderr: stderr.length }) },
    clock: new ManualClock(),
    log: silentLog,
    crashAt: noCrashPoints,
  } as unknown as SpoolDeps; // What a spool asks of them here, and no more.
  const told = () => output.map(({ stream, offset, data }) => `${stream} ${offset} ${data.length}`);
  return { spool: new OutputSpool(deps, link), frames, output, answers, told };
}

const none = { stdout: 0, stderr: 0 };
const question = { type: 'output-get', id: 7, jobId, stream: 'stdout', limit: 10 } as const;

describe('output spool', () => {
  it('keeps nothing of a job whose result is stored, so that a long session does not grow', () => {
    const { spool, frames } = aSpool({ report: ended() });
    spool.begin(jobId, none);

    assert.equal(spool.has(jobId), true);
    spool.forget(jobId);

    assert.equal(spool.has(jobId), false);
    assert.deepEqual(
      frames.map(({ type }) => type),
      ['result'],
    );
  });

  it('a job that runs is not forgotten by a word about an earlier result', () => {
    const { spool } = aSpool();
    spool.begin(jobId, none);

    spool.forget(jobId);

    assert.equal(spool.has(jobId), true);
  });

  it('a gateway that has lost output of a running job gets it again', async () => {
    const { spool, output } = aSpool({ stdout: 'abcdef' });
    spool.begin(jobId, none);
    await setImmediate();

    spool.begin(jobId, { stdout: 2, stderr: 0 });
    await setImmediate();

    assert.deepEqual(
      output.map(({ offset, data }) => `${offset} ${data}`),
      ['0 abcdef', '2 cdef'],
    );
  });

  it('of a flood only the head is sent while the job runs', async () => {
    const { spool, told } = aSpool({ stdout: 'y'.repeat(3_000_000), stderr: 'oh' });

    spool.begin(jobId, none);
    for (let look = 0; look < 5; look += 1) {
      spool.pump(jobId);
      await setImmediate();
    }

    assert.deepEqual(told(), [`stdout 0 ${limits.outputHeadBytes}`, 'stderr 0 2']);
  });

  it('at the end come the tails, and then the result', async () => {
    const stdout = 'o'.repeat(3_000_000);
    const stderr = 'e'.repeat(20_000);
    const { spool, told, frames } = aSpool({ report: ended(3_000_000, 20_000), stdout, stderr });

    spool.begin(jobId, none);
    await setImmediate();

    const { outputHeadBytes: head, outputTailBytes: tails } = limits;
    const stdoutTail = tails - (20_000 - head);
    assert.deepEqual(told(), [
      `stdout 0 ${head}`,
      `stdout ${3_000_000 - stdoutTail} ${stdoutTail}`,
      `stderr 0 ${head}`,
      `stderr ${head} ${20_000 - head}`,
    ]);
    assert.equal(frames.length, 1);
  });

  it('a gateway that has all of it gets the result only', async () => {
    const stdout = 'o'.repeat(100_000);
    const { spool, told, frames } = aSpool({ report: ended(100_000), stdout });

    spool.begin(jobId, { stdout: 100_000, stderr: 0 });
    await setImmediate();

    assert.deepEqual(told(), []);
    assert.equal(frames.length, 1);
  });

  it('two floods share the room of the tails, and one alone may have all of it', () => {
    const many = 1_000_000;
    const { outputHeadBytes: head, outputTailBytes: tails } = limits;

    assert.deepEqual(tailStarts({ stdout: many, stderr: many }), {
      stdout: many - tails / 2,
      stderr: many - tails / 2,
    });
    assert.deepEqual(tailStarts({ stdout: 3, stderr: many }), { stdout: 3, stderr: many - tails });
    fc.assert(
      fc.property(fc.nat(200_000), fc.nat(200_000), (out, err) => {
        const from = tailStarts({ stdout: out, stderr: err });
        const kept = out - from.stdout + (err - from.stderr);
        const rest = Math.max(0, out - head) + Math.max(0, err - head);
        assert.equal(kept, Math.min(rest, tails));
        assert.ok(from.stdout >= Math.min(out, head) && from.stderr >= Math.min(err, head));
      }),
    );
  });

  it('answers with a piece of what may be read by now', () => {
    const { spool, answers } = aSpool({ stdout: 'abcdefghijklmnop' });

    spool.answer({ ...question, offset: 4 });
    spool.answer({ ...question, offset: 14 });
    spool.answer({ ...question, offset: 99 });

    const piece = { kind: 'piece', id: 7, total: 16 };
    assert.deepEqual(answers, [
      { ...piece, offset: 4, data: Buffer.from('efghijklmn') },
      { ...piece, offset: 14, data: Buffer.from('op') },
      { ...piece, offset: 99, data: Buffer.alloc(0) },
    ]);
  });

  it('a link that does not take what it is given is told to wait, and holds no more', () => {
    const { spool, answers } = aSpool({ stdout: 'abc', backlogBytes: 1_000_000 });

    spool.answer({ ...question, offset: 0 });

    assert.deepEqual(answers, [{ kind: 'busy', id: 7 }]);
  });
});
