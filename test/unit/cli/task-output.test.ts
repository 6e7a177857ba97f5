import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { FakeTerminal, runInProcess } from '../../support/cli-run.ts';
import { type Answer, FakeApi } from '../../support/fake-api.ts';

const taskId = `t${'a'.repeat(25)}`;
const route = `GET /v1/tasks/${taskId}/jobs/0123456789ab/output`;
const argv = ['task', 'output', taskId, '0123456789ab'];

/** A piece as the gateway answers it. */
const piece = (
  text: string,
  of: { readonly offset: number; readonly total: number; readonly state?: string },
): Answer => ({
  body: Buffer.from(text),
  headers: {
    'fixpoint-output-offset': String(of.offset),
    'fixpoint-output-total': String(of.total),
    'fixpoint-output-finished': String(of.state !== 'running'),
    'fixpoint-output-cut': String(of.state === 'cut'),
  },
});
const offsetOf = (path: string) => Number(new URL(path, 'http://x').searchParams.get('offset'));

describe('task output', () => {
  let api: FakeApi;
  let environment: Record<string, string>;
  before(async () => {
    api = await FakeApi.start();
    environment = { FIXPOINT_GATEWAY_URL: api.url, FIXPOINT_TOKEN: 'secret-token' };
  });
  after(() => api.stop());

  it('what cannot be had is left out, and the error output says how much', async () => {
    api.on(route, ({ path }) =>
      offsetOf(path) === 0
        ? { ...piece('head', { offset: 0, total: 1_000, state: 'running' }) }
        : piece('tail', { offset: 996, total: 1_000 }),
    );
    const terminal = new FakeTerminal({ isTty: false });

    const { status, err } = await runInProcess(argv, { environment, terminal });

    assert.equal(status, 0);
    assert.equal(String(terminal.written.bytes), 'headtail');
    assert.match(err, /gap: bytes 4 to 996 of stdout are on the host/);
    assert.match(api.asked.at(-1)?.path ?? '', /gap=skip/);
  });

  it('output that was cut is said to be', async () => {
    api.on(route, piece('yyy', { offset: 0, total: 3, state: 'cut' }));

    const { out, err } = await runInProcess(argv, { environment });

    assert.equal(out, 'yyy');
    assert.match(err, /^cut: the job wrote more than it may; after byte 3 it is gone\n$/);
  });

  it('without --follow it ends at what there is, and says that the job goes on', async () => {
    api.on(route, ({ path }) =>
      piece(offsetOf(path) === 0 ? 'so far' : '', {
        ...{ offset: offsetOf(path), total: 6, state: 'running' },
      }),
    );

    const { status, out, err } = await runInProcess(argv, { environment });

    assert.deepEqual([status, out], [0, 'so far']);
    assert.match(err, /the job goes on: fixpoint task output t\w+ 0123456789ab --follow/);
  });

  it('with --follow it waits for more, also for an agent that is away, and ends with the job', async () => {
    const away = { status: 503, body: { code: 'agent_offline', message: 'away' } };
    const answers: Answer[] = [
      piece('a', { offset: 0, total: 1, state: 'running' }),
      piece('', { offset: 1, total: 1, state: 'running' }),
      away,
      away,
      piece('b', { offset: 1, total: 2 }),
    ];
    const from: number[] = [];
    api.on(route, ({ path }) => {
      from.push(offsetOf(path));
      return answers.shift() ?? { status: 500 };
    });

    const { status, out, err } = await runInProcess([...argv, '--follow'], { environment });

    assert.deepEqual([status, out], [0, 'ab']);
    assert.deepEqual(from, [0, 1, 1, 1, 1]);
    assert.equal(err, 'the agent does not answer; waiting for it\n');
    assert.match(api.asked.at(-1)?.path ?? '', /gap=refuse/);
  });

  it('a refusal ends it with the status of its code', async () => {
    api.on(route, {
      status: 503,
      body: { code: 'agent_offline', message: 'its agent is offline', hint: 'wait' },
    });

    const { status, err } = await runInProcess(argv, { environment });

    assert.equal(status, 4);
    assert.match(err, /hint: wait/);
  });
});
