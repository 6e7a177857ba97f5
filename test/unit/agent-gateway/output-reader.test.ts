import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { HostOutput, OutputRange } from '../../../agent-gateway/output-gets.ts';
import { OutputReader } from '../../../agent-gateway/output-reader.ts';
import { limits } from '../../../contracts/limits.ts';
import type { JobReport, JobState } from '../../../contracts/task.ts';
import { FixpointError } from '../../../domain/errors.ts';
import { plainReport } from '../../../domain/job.ts';

const head = limits.outputHeadBytes;
const tail = limits.outputTailBytes;
const which = { taskId: `t${'a'.repeat(25)}`, agentId: '0123456789ab', stream: 'stdout' } as const;
const flood = Buffer.from('漢😀aé'.repeat(20_000));

/** A stream of which the gateway keeps head and tail; the host answers as it is told. */
function aStream(of: {
  readonly whole: Buffer;
  readonly state?: JobState;
  readonly host?: Exclude<HostOutput['kind'], 'piece'>;
  readonly hasTail?: boolean;
}) {
  const { whole, state = 'succeeded', hasTail = true } = of;
  const tailFrom = Math.max(head, whole.length - tail);
  const asked: OutputRange[] = [];
  const reader = new OutputReader({
    kept: async () => ({
      head: whole.subarray(0, head),
      ...{ tailFrom, tail: hasTail ? whole.subarray(tailFrom) : Buffer.alloc(0) },
    }),
    ask: async (_agentId, range) => {
      asked.push(range);
      if (of.host !== undefined) return { kind: of.host };
      const data = whole.subarray(range.offset, range.offset + range.limit);
      return { kind: 'piece', total: whole.length, data };
    },
    askElsewhere: async () => ({ kind: 'offline' }),
  });
  const isOver = state !== 'running' && state !== 'unknown';
  const job: JobReport = {
    ...plainReport(state, null),
    stdoutBytes: isOver ? whole.length : 0,
  };
  const bytes = (offset: number, limit: number, skip = false) =>
    reader.bytes({ ...which, offset, limit, skip, isForwarded: false }, job);
  const text = (offset: number, limit: number, skip = false) =>
    reader.text({ ...which, offset, limit, skip, isForwarded: false }, job);
  return { bytes, text, asked, tailFrom };
}

const refused = (code: string, hint: RegExp) => (error: unknown) => {
  assert.ok(error instanceof FixpointError);
  assert.equal(error.code, code);
  assert.match(error.hint ?? '', hint);
  return true;
};

describe('reading output', () => {
  it('head and tail come from the gateway, and only what lies between from the host', async () => {
    const { bytes, asked, tailFrom } = aStream({ whole: flood });

    const first = await bytes(0, head);
    const last = await bytes(tailFrom, 1_000_000);
    assert.equal(asked.length, 0);
    const middle = await bytes(head, tailFrom - head);

    assert.ok(Buffer.concat([first.bytes, middle.bytes, last.bytes]).equals(flood));
    assert.equal(asked.length, 1);
    assert.deepEqual([first.finished, middle.finished, last.finished], [false, false, true]);
    assert.deepEqual([first.total, middle.total], [flood.length, flood.length]);
  });

  it('a range larger than one answer takes as many questions as it needs', async () => {
    const whole = Buffer.alloc(1_000_000, 'x');
    const { bytes, asked } = aStream({ whole });

    const read = await bytes(head, 900_000);

    assert.equal(read.bytes.length, 900_000);
    assert.ok(asked.every(({ limit }) => limit <= limits.outputGetBytes));
    assert.equal(asked.length, Math.ceil(900_000 / limits.outputGetBytes));
  });

  it('an answer that is shorter than asked for is the last one', async () => {
    const asked: OutputRange[] = [];
    const reader = new OutputReader({
      kept: async () => ({ head: Buffer.alloc(head), tailFrom: 0, tail: Buffer.alloc(0) }),
      ask: async (_agentId, range) => {
        asked.push(range);
        return { kind: 'piece', total: 1_000_000, data: Buffer.from('x') };
      },
      askElsewhere: async () => ({ kind: 'offline' }),
    });
    const range = { offset: head, limit: 900_000, skip: false, isForwarded: false };

    const read = await reader.bytes({ ...which, ...range }, plainReport('running', null));

    assert.equal(read.bytes.length, 1);
    assert.equal(asked.length, 1);
  });

  it('an agent that is not here is asked for by its gateway, but not for another gateway', async () => {
    const elsewhere: OutputRange[] = [];
    const reader = new OutputReader({
      kept: async () => ({ head: Buffer.alloc(head), tailFrom: 0, tail: Buffer.alloc(0) }),
      ask: async () => ({ kind: 'offline' }),
      askElsewhere: async (_agentId, range) => {
        elsewhere.push(range);
        return { kind: 'piece', total: 9_999, data: Buffer.from('there') };
      },
    });
    const read = (isForwarded: boolean) =>
      reader.bytes(
        { ...which, offset: head, limit: 5, skip: false, isForwarded },
        plainReport('running', null),
      );

    assert.equal(String((await read(false)).bytes), 'there');
    await assert.rejects(read(true), refused('agent_offline', /keeps bytes 0 to/));
    assert.equal(elsewhere.length, 1);
  });

  it('following next gives every byte once, whatever the limits, as text', async () => {
    const { text } = aStream({ whole: flood });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 5_000, max: 60_000 }), async (limit) => {
        const texts: string[] = [];
        for (let offset = 0, done = false; !done; ) {
          const piece = await text(offset, limit);
          assert.equal(piece.offset, offset);
          texts.push(piece.text);
          [offset, done] = [piece.next, piece.finished];
        }
        assert.equal(texts.join(''), flood.toString('utf8'));
      }),
      { numRuns: 20 },
    );
  });

  it('while the agent is offline the ends are there, and the gap is refused by name', async () => {
    const { bytes, text, tailFrom } = aStream({ whole: flood, host: 'offline' });

    assert.equal((await bytes(0, 1_000_000)).bytes.length, head);
    assert.equal((await bytes(tailFrom, 1_000_000)).finished, true);
    const kept = new RegExp(`0 to ${head} and ${tailFrom} to ${flood.length}`);
    await assert.rejects(bytes(head, 10), refused('agent_offline', kept));
    await assert.rejects(text(head + 100, 10), refused('agent_offline', kept));
  });

  it('a reader that may skip goes on at the tail, and is told how far it went', async () => {
    const { bytes, text, tailFrom } = aStream({ whole: flood, host: 'silent' });

    const first = await text(0, 1_000_000, true);
    const last = await text(first.next, 1_000_000, true);
    const raw = await bytes(head, 100, true);

    assert.ok(first.next <= head && head - first.next < 4);
    assert.ok(flood.toString('utf8').startsWith(first.text));
    assert.equal(last.offset, tailFrom);
    assert.equal(last.finished, true);
    assert.deepEqual([raw.offset, raw.bytes.length], [tailFrom, 100]);
  });

  it('says why a host cannot be asked', async () => {
    const codes = {
      too_old: 'unsupported',
      refused: 'upstream_unavailable',
      gone: 'gone',
      busy: 'limit_exceeded',
      silent: 'deadline_exceeded',
    } as const;
    for (const [host, code] of Object.entries(codes)) {
      const { bytes } = aStream({ whole: flood, host: host as keyof typeof codes });
      await assert.rejects(bytes(head, 10), refused(code, /the gateway itself keeps/));
    }
  });

  it('of a running job the host is asked for what lies beyond the head', async () => {
    const { bytes, asked } = aStream({ whole: flood, state: 'running', hasTail: false });

    const read = await bytes(head, 100);
    const ahead = await bytes(flood.length, 100);

    assert.ok(read.bytes.equals(flood.subarray(head, head + 100)));
    assert.deepEqual([read.total, read.finished], [flood.length, false]);
    assert.deepEqual([ahead.bytes.length, ahead.finished], [0, false]);
    assert.equal(asked.length, 2);
  });

  it('of a running job with little output nobody is asked', async () => {
    const { bytes, asked } = aStream({ whole: Buffer.from('abc'), state: 'running' });

    const read = await bytes(3, 100);

    assert.deepEqual([read.bytes.length, read.total, read.finished], [0, 3, false]);
    assert.equal(asked.length, 0);
  });

  it('an old agent whose output just fills the head has not failed', async () => {
    const of = { whole: flood, state: 'running', hasTail: false, host: 'too_old' } as const;
    const { bytes } = aStream(of);

    assert.equal((await bytes(head, 100)).bytes.length, 0);
  });

  it('a job whose end nobody told is read from its host too', async () => {
    const { bytes } = aStream({ whole: flood, state: 'unknown', hasTail: false });

    const read = await bytes(head, 1_000_000);

    assert.ok(read.bytes.equals(flood.subarray(head)));
    assert.equal(read.finished, true);
  });
});
