import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { runInProcess } from '../../support/cli-run.ts';
import { FakeApi } from '../../support/fake-api.ts';

const row = {
  id: 'escalation:remediation:restart-web:web~0:1-1',
  state: 'dead',
  remediationId: 'remediation:restart-web:web~0:1-1',
  policy: 'restart-web',
  reason: 'the receiver: status 503',
  startedAt: '2026-01-01T00:00:00.000Z',
  endedAt: '2026-01-02T00:00:00.000Z',
};

describe('escalation ls', () => {
  let api: FakeApi;
  before(async () => {
    api = await FakeApi.start();
  });
  after(() => api.stop());
  const run = (...args: readonly string[]) =>
    runInProcess(['escalation', 'ls', ...args], {
      environment: { FIXPOINT_URL: api.url, FIXPOINT_TOKEN: 'secret-token-of-tests' },
    });

  it('asks for one state, and says why nobody took it', async () => {
    api.on('GET /v1/escalations', { body: { items: [row], next: null } });

    const { status, out } = await run('--state', 'dead');

    assert.equal(status, 0);
    assert.match(api.asked.at(-1)?.path ?? '', /state=dead/);
    assert.match(out, /^STATE +POLICY +STARTED +REMEDIATION +REASON/);
    assert.match(
      out,
      /dead +restart-web +.*remediation:restart-web:web~0:1-1 +the receiver: status 503/,
    );
  });

  it('lists as one JSON array', async () => {
    api.on('GET /v1/escalations', { body: { items: [row], next: null } });

    const { out } = await run('-o', 'json');

    assert.deepEqual(JSON.parse(out), [row]);
  });

  it('a state that there is not is wrong usage', async () => {
    const { status, err } = await run('--state', 'lost');

    assert.equal(status, 2);
    assert.match(err, /sending, sent, dead/);
  });
});
