import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { runInProcess } from '../../support/cli-run.ts';
import { FakeApi } from '../../support/fake-api.ts';

const at = Date.now() - 60_000;
const aBreaker = (policy: string, over: object = {}) => ({
  ...{ policy, by: 'ada', reason: 'it makes things\u001b[2J worse', at, openForMs: 1_800_000 },
  ...{ untilMs: at + 1_800_000, canary: null },
  ...over,
});
const stateWith = (...breakers: readonly object[]) => ({
  body: { ...{ revision: 7, stopped: false, reason: '', by: '', at: 0 }, breakers },
});
const remediationId = 'remediation:db:db~00000000:12345678-1';

describe('fixpoint control breaker', () => {
  let api: FakeApi;
  let environment: Record<string, string>;
  before(async () => {
    api = await FakeApi.start();
    environment = api.environment;
  });
  beforeEach(() => void api.asked.splice(0));
  after(() => api.stop());
  const run = (...words: readonly string[]) =>
    runInProcess(['control', 'breaker', ...words], { environment });

  it('lists who opened which and why, newest first, and who tries where one is half open', async () => {
    const over = { at: at - 1, untilMs: at };
    api.on(
      'GET /v1/control',
      stateWith(
        aBreaker('db', { ...over, canary: { remediationId, at } }),
        aBreaker('mail', { ...over, at: at - 2 }),
        aBreaker('web'),
      ),
    );

    const { out } = await run('ls');
    const json = await run('ls', '-o', 'json');

    const [header = '', ...lines] = out.trimEnd().split('\n');
    assert.match(header, /^POLICY +STATE +BY +SINCE +UNTIL +WHY$/);
    assert.match(lines[0] ?? '', /^web +open +ada .*it makes things\[2J worse$/);
    assert.match(lines[1] ?? '', /^db +trying: remediation:db:db~00000000:12345678-1 /);
    assert.match(lines[2] ?? '', /^mail +half open /);
    const entries = JSON.parse(json.out) as { id: string; state: string }[];
    assert.deepEqual(
      entries.map(({ id, state }) => [id, state]),
      [
        ['web', 'open'],
        ['db', 'trying'],
        ['mail', 'half_open'],
      ],
    );
  });

  it('without an open one it says so, and JSON is an empty list', async () => {
    api.on('GET /v1/control', stateWith());

    assert.equal((await run('ls')).err, 'no breaker is open\n');
    assert.equal((await run('ls', '-o', 'json')).out, '[]\n');
  });

  it('opens one with a reason and for as long as is asked, and says until when', async () => {
    api.on('PUT /v1/control/breakers/web', { body: {} });
    api.on('GET /v1/control', stateWith(aBreaker('web')));

    const { out, status } = await run(
      ...['open', 'web', '--reason', 'it makes things worse', '--for', '8h', '--by', 'ada'],
    );

    assert.equal(status, 0);
    assert.deepEqual(JSON.parse(api.asked[0]?.body ?? ''), {
      ...{ open: true, reason: 'it makes things worse', openForMs: 28_800_000 },
      operator_name: 'ada',
    });
    assert.match(out, /^the breaker of web is open until 20.*Z\n$/);
  });

  it('closes one, and prints it for machines with id and state', async () => {
    api.on('PUT /v1/control/breakers/web', { body: {} });
    api.on('GET /v1/control', stateWith());

    const { out } = await run('close', 'web', '--reason', 'fixed', '-o', 'json');

    assert.deepEqual(JSON.parse(api.asked[0]?.body ?? ''), { open: false, reason: 'fixed' });
    assert.deepEqual(JSON.parse(out), { id: 'web', state: 'closed' });
  });

  it('without a reason it asks for one and sends nothing', async () => {
    const { status, err } = await run('open', 'web');

    assert.equal(status, 2);
    assert.match(err, /--reason/);
    assert.deepEqual(api.asked, []);
  });
});
