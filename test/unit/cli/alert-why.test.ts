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

  const told = async (outcomes: readonly unknown[]): Promise<string> => {
    api.on('GET /v1/alerts/d', {
      body: {
        ...{ deliveryId: 'd', source: 'alertmanager', fingerprint: 'f', name: 'Down' },
        ...{ status: 'firing', startsAt: 's', receivedAt: 'r', outcomes, labels: [] },
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
});
