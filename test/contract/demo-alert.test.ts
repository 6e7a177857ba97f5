import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAlertmanager } from '../../api/sources/alertmanager.ts';
import { demoNames } from '../../cli/demo-alert.ts';
import { defaultClocks } from '../../contracts/limits.ts';
import { policiesFor } from '../../domain/policy-match.ts';
import { loadPolicyFiles } from '../../platform/policy-files.ts';
import { runInProcess } from '../support/cli-run.ts';

const clone = fileURLToPath(new URL('../..', import.meta.url));
const receivedAt = '2026-03-04T05:06:07.008Z';

async function shippedPolicies() {
  const files = await loadPolicyFiles({
    policyDir: `${clone}/policies`,
    runbookDir: `${clone}/runbooks`,
    clocks: defaultClocks,
  });
  assert.equal(files.kind, 'loaded');
  return files.kind === 'loaded' ? files.set.policies : [];
}

async function printed(...argv: string[]): Promise<Buffer> {
  const { status, out } = await runInProcess(['alert', 'send', '--print', ...argv]);
  assert.equal(status, 0);
  return Buffer.from(out);
}

describe('what `fixpoint alert send --demo` posts', () => {
  for (const demo of demoNames) {
    it(`${demo} is usable for the api and taken by one shipped policy`, async () => {
      const parsed = parseAlertmanager(await printed('--demo', demo), receivedAt);
      const [alert] = parsed.alerts;

      assert.deepEqual(parsed.quarantined, []);
      assert.equal(parsed.alerts.length, 1);
      assert.ok(alert !== undefined);
      assert.equal(policiesFor(alert, await shippedPolicies()).length, 1);
      assert.deepEqual([alert.truncated, alert.endsAt, alert.severity], [false, null, 'page']);
    });
  }

  it('the resolved one closes the episode of the firing one', async () => {
    const firing = parseAlertmanager(await printed('--demo', 'disk-full'), receivedAt).alerts[0];
    const over = parseAlertmanager(await printed('--demo', 'disk-full', '--resolved'), receivedAt);

    assert.equal(over.alerts[0]?.status, 'resolved');
    assert.equal(over.alerts[0]?.fingerprint, firing?.fingerprint);
  });
});

describe('the curl of the README', () => {
  it('posts a body that is usable and taken by the demo policy', async () => {
    const readme = readFileSync(`${clone}/README.md`, 'utf8');
    const quoted = / -d '([\s\S]*?)'\n```/.exec(readme)?.[1] ?? '';
    // What the shell makes of it: '"$(date …)"' becomes the time.
    const body = quoted.replace(/'"\$\(date[^)]*\)"'/, '2026-03-04T05:06:07Z');

    const parsed = parseAlertmanager(Buffer.from(body), receivedAt);

    assert.deepEqual(parsed.quarantined, []);
    const [alert] = parsed.alerts;
    assert.ok(alert !== undefined);
    assert.equal(alert.startsAt, '2026-03-04T05:06:07Z');
    const [policy] = policiesFor(alert, await shippedPolicies());
    assert.equal(policy?.name, 'demo-service');
  });
});
