import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { tellOfHealedService, told } from '../../support/api-answers.ts';
import { FakeTerminal, runInProcess } from '../../support/cli-run.ts';
import { FakeApi } from '../../support/fake-api.ts';

const { id } = told.detail;
const path = `/v1/remediations/${encodeURIComponent(id)}`;

describe('commands that print JSON for machines', () => {
  let api: FakeApi;
  let environment: Record<string, string>;
  before(async () => {
    api = await FakeApi.start();
    environment = {
      ...api.environment,
      FIXPOINT_WEBHOOK_SECRET_ALERTMANAGER: 'webhook-token',
    };
  });
  beforeEach(() => {
    api.asked.splice(0);
    tellOfHealedService(api);
  });
  after(() => api.stop());

  const run = (...argv: readonly string[]) =>
    runInProcess([...argv, '-o', 'json'], { environment });

  it('tail prints one object a line, a line for each change and none beside', async () => {
    const { progress } = told.detail;
    const at = (state: string, name = 'DemoServiceDown') => ({
      ...{ ...told.detail, endedAt: null },
      progress: { ...progress, state, episodes: [{ id: 'e', name, open: true }] },
    });
    const looks = [at('planning'), at('planning'), at('running'), at('verified', 'a\n\u009b2J')];
    api.on(`GET ${path}`, () => ({ body: looks.length > 1 ? looks.shift() : looks[0] }));
    const terminal = new FakeTerminal({ isTty: true });

    const { status, out, err } = await runInProcess(['rem', 'tail', id, '-o', 'json'], {
      environment,
      terminal,
    });

    assert.deepEqual([status, err], [0, '']);
    const lines = out.trimEnd().split('\n');
    const objects = lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      objects.map((one) => [one.id, one.state]),
      [
        [id, 'planning'],
        [id, 'running'],
        [id, 'verified'],
      ],
    );
    assert.equal(objects[2].episodes[0].name, 'a\n\u009b2J');
    assert.ok(!out.includes('\u009b'), 'control characters are escaped');
    for (const { at: when } of objects) assert.ok(!Number.isNaN(Date.parse(when)));
  });

  it('a cancel prints what the server has kept', async () => {
    api.on(`POST ${path}/cancel`, { status: 202, body: { id, state: 'cancelling' } });

    const repair = await run('rem', 'cancel', id, '--reason', 'wrong rack', '--by', 'ada');
    const task = await run('task', 'cancel', told.task.key);

    assert.deepEqual([repair.status, repair.err, task.status, task.err], [0, '', 0, '']);
    assert.deepEqual(JSON.parse(repair.out), { id, state: 'cancelling' });
    assert.deepEqual(JSON.parse(task.out), { id: told.task.taskId, ...told.task });
    assert.deepEqual(
      api.asked.map(({ body }) => JSON.parse(body)),
      [{ reason: 'wrong rack', operator_name: 'ada' }, { reason: 'operator' }],
    );
  });

  it('a cancel that is refused prints nothing on stdout and ends with the refusal’s status', async () => {
    const { status, out, err } = await run('rem', 'cancel', id);

    assert.deepEqual([status, out], [6, '']);
    assert.match(err, /ended already/);
  });

  it('alert send prints the answer with the delivery’s id', async () => {
    const answer = { received: 1, accepted: 1, duplicate: 0, quarantined: [] };
    api.on('POST /v1/webhooks/alertmanager', { body: answer });
    api.on('GET /v1/alerts', () => {
      const [{ fingerprint, startsAt }] = JSON.parse(api.asked[0]?.body ?? '').alerts;
      return { body: { items: [{ ...told.delivery, fingerprint, startsAt }], next: null } };
    });

    const { status, out, err } = await run('alert', 'send', '--demo', 'service-down');

    assert.deepEqual([status, err], [0, '']);
    assert.deepEqual(JSON.parse(out), { id: told.delivery.deliveryId, ...answer });
  });

  it('alert send of what is not usable says why in the answer, and ends with 2', async () => {
    const flaw = { index: 0, field: 'labels', value: 'null', reason: 'must be an object' };
    const answer = { received: 1, accepted: 0, duplicate: 0, quarantined: [flaw] };
    api.on('POST /v1/webhooks/alertmanager', { body: answer });

    const { status, out } = await run('alert', 'send', '--demo', 'disk-full');

    assert.equal(status, 2);
    assert.deepEqual(JSON.parse(out), { id: null, ...answer });
  });
});

describe('approving by the command line', () => {
  let api: FakeApi;
  before(async () => {
    api = await FakeApi.start();
  });
  after(() => api.stop());

  const asking = {
    ...told.detail,
    ...{ state: 'awaiting_approval', endedAt: null },
    progress: {
      ...told.detail.progress,
      state: 'awaiting_approval',
      approval: {
        ...{ approvers: 1, given: [], untilMs: 0, hosts: 2, notBy: [] },
        digest: `sha256:${'ab'.repeat(32)}`,
      },
    },
  };
  const run = (...argv: readonly string[]) =>
    runInProcess(argv, { environment: { FIXPOINT_URL: api.url, FIXPOINT_TOKEN: 'secret-token' } });

  it('what is shown is what is approved, by its digest', async () => {
    api.on(`GET ${path}`, { body: asking });
    api.on(`POST ${path}/approve`, {
      status: 202,
      body: { id, state: 'approved', answer: '1 of 1 approvals' },
    });

    const { status, err } = await run('rem', 'approve', id, '--by', 'ada');

    assert.equal(status, 0);
    assert.match(err, /^plan abababababab: .* on 2 hosts\napproved \(1 of 1 approvals\): /);
    assert.deepEqual(JSON.parse(api.asked.at(-1)?.body ?? ''), {
      ...{ reason: '', operator_name: 'ada', digest: asking.progress.approval.digest },
    });
  });

  it('a repair that asks nothing is not approved, and a reason is wanted where it matters', async () => {
    api.on(`GET ${path}`, { body: told.detail });

    const { status, err } = await run('rem', 'approve', id);
    const mute = await run('rem', 'reject', id);

    assert.equal(status, 2);
    assert.match(err, /^error: the remediation is verified: it does not ask for an approval/);
    assert.equal(mute.status, 2);
    assert.match(mute.err, /--reason/);
  });
});
