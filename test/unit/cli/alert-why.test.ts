import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { runInProcess } from '../../support/cli-run.ts';
import { FakeApi } from '../../support/fake-api.ts';

describe('alert why', () => {
  let api: FakeApi;
  before(async () => {
    api = await FakeApi.start();
  });
  after(() => api.stop());

  const told = async (outcomes: readonly unknown[], more: object = {}): Promise<string> => {
    api.on('GET /v1/alerts/d', {
      body: {
        ...{ deliveryId: 'd', source: 'alertmanager', fingerprint: 'f', name: 'Down' },
        ...{ status: 'firing', startsAt: 's', receivedAt: 'r', outcomes, labels: [], ...more },
      },
    });
    const environment = { FIXPOINT_URL: api.url, FIXPOINT_TOKEN: 'token-of-tests' };
    const { out, err } = await runInProcess(['alert', 'why', 'd'], { environment });
    assert.equal(err, '');
    return out;
  };

  it('a shield is told with its matchers, a window with its end, each beside its policy', async () => {
    const out = await told([
      {
        fate: { kind: 'suppressed', reason: 'shielded' },
        ...{ policy: 'web', mailboxId: null, detail: 'env="lab"' },
      },
      {
        fate: { kind: 'suppressed', reason: 'maintenance' },
        ...{ policy: 'db', mailboxId: null, detail: '"0 2 * * 6" UTC for 4h, until then' },
      },
    ]);

    assert.match(out, /^suppressed\(shielded\) by policy web: .*leaves .* alone \(env="lab"\)$/m);
    assert.match(
      out,
      /^suppressed\(maintenance\) by policy db: .*its next firing is acted on \("0 2 \* \* 6" UTC for 4h, until then\)$/m,
    );
  });

  it('a guard that keeps its mailbox from starting is told with limit, use, until when and what to do', async () => {
    const id = 'mailbox:web:db~0badcafe';
    const guard = {
      ...{ guard: 'guards.maxRuns', limit: '3 in 1h', use: '3 started', slack: 'none' },
      ...{ holds: true, untilMs: 1_800_000_000_000, remedy: 'raise guards.maxRuns' },
    };
    const free = { ...guard, guard: 'guards.cooldown', holds: false, untilMs: null };
    const outcomes = [{ fate: { kind: 'handed' }, policy: 'web', mailboxId: id }];
    api.on('GET /v1/remediations', { body: { items: [], next: null } });

    const held = await told(outcomes, { mailboxes: [{ id, guards: [guard, free] }] });
    const passes = await told(outcomes, { mailboxes: [{ id, guards: [free] }] });
    const closed = await told(outcomes, { mailboxes: [{ id, guards: null }] });

    assert.match(
      held,
      /^mailbox:web:db~0badcafe: guards.maxRuns holds it: limit 3 in 1h, use 3 started, until 2027-01-15T08:00:00.000Z; raise guards.maxRuns$/m,
    );
    assert.doesNotMatch(held, /cooldown/);
    assert.match(passes, /no guard holds it now/);
    assert.match(closed, /has closed, or cannot be asked now/);
  });
});
