import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runInProcess } from '../../support/cli-run.ts';
import { FakeApi } from '../../support/fake-api.ts';
import { aPolicyText, aRunbookText } from '../../support/policy-set.ts';

describe('alert send', () => {
  let api: FakeApi;
  before(async () => {
    api = await FakeApi.start();
  });
  after(() => api.stop());

  it('posts a true body with the webhook token of the clone and prints the delivery', async () => {
    const clone = mkdtempSync(join(tmpdir(), 'fixpoint-clone-'));
    mkdirSync(join(clone, '.fixpoint', 'secrets'), { recursive: true });
    writeFileSync(join(clone, '.fixpoint', 'secrets', 'webhook-alertmanager'), 'webhook-token\n');
    api.on('POST /v1/webhooks/alertmanager', {
      body: { received: 1, accepted: 1, duplicate: 0, quarantined: [] },
    });
    api.on('GET /v1/alerts', () => {
      const sent = JSON.parse(api.asked[0]?.body ?? '').alerts[0];
      const record = {
        deliveryId: 'd'.repeat(26),
        source: 'alertmanager',
        fingerprint: sent.fingerprint,
        name: 'DemoServiceDown',
        status: 'firing',
        startsAt: sent.startsAt,
        receivedAt: sent.startsAt,
        outcomes: [],
        labels: [],
      };
      return { body: { items: [record], next: null } };
    });

    const { status, out, err } = await runInProcess(
      ['alert', 'send', '--demo', 'service-down', '--agent', 'agent-2'],
      { environment: { FIXPOINT_URL: api.url }, cwd: clone },
    );

    rmSync(clone, { recursive: true });
    assert.equal(status, 0);
    assert.equal(api.asked[0]?.authorization, 'Bearer webhook-token');
    assert.equal(JSON.parse(api.asked[0]?.body ?? '').version, '4');
    assert.match(out, /accepted 1, duplicate 0/);
    assert.match(err, /fixpoint alert why d{26}\n/);
  });

  it('without anything to send ends with 2, without a token with 5', async () => {
    const nothing = await runInProcess(['alert', 'send']);
    const noToken = await runInProcess(['alert', 'send', '--demo', 'disk-full']);

    assert.deepEqual([nothing.status, noToken.status], [2, 5]);
  });
});

describe('policy check', () => {
  it('accepts what is shipped, and points at the line of a flaw with status 2', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fixpoint-policies-'));
    writeFileSync(join(folder, 'bad.yaml'), 'apiVersion: fixpoint/v1\nkind: Policy\nnaem: x\n');
    const clone = new URL('../../..', import.meta.url).pathname;

    const shipped = await runInProcess(['policy', 'check'], { cwd: clone });
    const flawed = await runInProcess(['policy', 'check', folder, '--runbooks', folder]);

    rmSync(folder, { recursive: true });
    assert.equal(shipped.status, 0);
    assert.match(shipped.out, /^valid: \d+ policies/);
    assert.equal(flawed.status, 2);
    assert.match(flawed.out, /bad\.yaml:3:1: .*naem/);
  });

  it('a folder without any policy is warned of, and flawed where that is asked for', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fixpoint-policies-'));
    writeFileSync(join(folder, 'p.yaml'), '');
    mkdirSync(join(folder, 'runbooks'));
    const command = ['policy', 'check', folder, '--runbooks', join(folder, 'runbooks')];

    const checked = await runInProcess(command);
    const strict = await runInProcess([...command, '--strict']);

    rmSync(folder, { recursive: true });
    assert.match(checked.out, /warning: policies: there is none in this folder/);
    assert.deepEqual([checked.status, strict.status], [0, 2]);
  });

  it('a warning has its place and its fix, and ends with 2 only where it is asked to', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fixpoint-policies-'));
    writeFileSync(join(folder, 'p.yaml'), aPolicyText('web', 'guards: { cooldown: 0s }'));
    mkdirSync(join(folder, 'runbooks'));
    writeFileSync(join(folder, 'runbooks/r.yaml'), aRunbookText());
    const command = ['policy', 'check', folder, '--runbooks', join(folder, 'runbooks')];

    const checked = await runInProcess(command);
    const strict = await runInProcess([...command, '--strict']);
    const json = await runInProcess([...command, '-o', 'json']);

    rmSync(folder, { recursive: true });
    assert.equal(checked.status, 0);
    assert.match(checked.out, /p\.yaml:9:11: warning: guards\.cooldown: .*; write a time/);
    assert.match(checked.out, /r\.yaml:3:1: warning: verify: .*; add verify\.probe/);
    assert.match(checked.out, /^valid: 1 policies, 1 runbooks, 3 warnings$/m);
    assert.equal(strict.status, 2);
    assert.match(strict.err, /3 warnings/);
    assert.equal(json.status, 0);
    const rows: { state: string; rule?: string; line?: number }[] = JSON.parse(json.out);
    assert.deepEqual(
      rows.map(({ state, rule, line }) => [state, rule, line]),
      [
        ['valid', undefined, undefined],
        ['warning', 'no_watchdog', 3],
        ['warning', 'no_cooldown', 9],
        ['warning', 'no_probe', 3],
      ],
    );
  });
});
