import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Webhook } from 'standardwebhooks';
import type { EscalationBody } from '../../contracts/escalation.ts';
import type { EscalationRow } from '../../contracts/http.ts';
import { sha256Hex } from '../../platform/digest.ts';
import { aBody, anEntry } from '../support/alertmanager-posts.ts';
import { CallbackReceiver } from '../support/callback-receiver.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningProduct, startProduct } from '../support/product.ts';

const policyOf = (name: string, runbook: string, url: string) => `
apiVersion: fixpoint/v1
kind: Policy
name: ${name}
match: { source: alertmanager, matchers: ['alertname="${name}"'] }
group: { by: [instance], wait: 0s }
targets: { from: { label: instance, by: hostname } }
autonomy: auto
guards: { cooldown: 1s, maxRuns: { count: 100, window: 1s }, blastRadius: 100% }
runbook: ${runbook}
escalation: { url: "${url}", on: [failed, rolled_back] }
`;
/** Ends with 0 and has no effect that its probe could find; each step can be taken back. */
const uselessRunbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: useless
steps:
  - name: drain
    script: { inline: 'echo drained >> "$DEMO_DIR/story"' }
    rollback: { script: { inline: 'echo "drain undone" >> "$DEMO_DIR/story"' } }
  - name: restart
    script: { inline: 'echo restarted >> "$DEMO_DIR/story"' }
    rollback: { script: { inline: 'echo "restart undone" >> "$DEMO_DIR/story"' } }
verify: { probe: { script: { inline: 'exit 1' } }, within: 1s }
`;
/** Proven by the page of the demo service, for which no job runs. */
const pageRunbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: page
steps:
  - name: touch
    script: { inline: 'echo touched >> "$DEMO_DIR/story"' }
    rollback: { script: { inline: 'echo "touch undone" >> "$DEMO_DIR/story"' } }
verify:
  probe: { http: { url: "http://\${host.ip}:\${labels.port}/health" } }
  within: 20s
  soak: 1s
`;

describe('undoing by the running product', () => {
  let product: RunningProduct;
  let receiver: CallbackReceiver;
  before(async () => {
    // Away at first: the escalation outlives it.
    receiver = await CallbackReceiver.start(503, 204);
    product = await startProduct({
      agents: 3,
      policies: {
        'useless.yaml': policyOf('useless', 'useless', receiver.url),
        'unheard.yaml': policyOf('unheard', 'useless', 'https://hooks.example/not-allowed'),
        'page.yaml': policyOf('page', 'page', receiver.url),
      },
      runbooks: { 'useless.yaml': uselessRunbook, 'page.yaml': pageRunbook },
    });
  });
  after(async () => {
    await product?.stop();
    await receiver?.stop();
  });

  const repairOf = async (policy: string, agent: string, labels: Record<string, string> = {}) => {
    const all = { alertname: policy, instance: agent, ...labels };
    const fingerprint = sha256Hex(JSON.stringify(all)).slice(0, 16);
    const startsAt = new Date().toISOString();
    const body = aBody([anEntry({ labels: all, fingerprint, startsAt })]);
    await eventually(async () => assert.equal((await product.webhook(body)).status, 200));
    return product.ended((row) => row.policy === policy, 90_000);
  };
  const storyOf = (agent: string) => {
    const file = join(product.demoFolder(agent), 'story');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  };
  const escalations = async (state: string): Promise<readonly EscalationRow[]> => {
    const answer = await product.api(`/v1/escalations?state=${state}`);
    return ((await answer.json()) as { items: EscalationRow[] }).items;
  };

  it('a repair that exits 0 without effect is undone in reverse, and a person gets a signed account of it', async () => {
    const row = await repairOf('useless', 'agent-1');
    const { headers, rawBody } = await receiver.got(2);

    assert.equal(row.state, 'rolled_back');
    assert.deepEqual(storyOf('agent-1'), [
      'drained',
      'restarted',
      'restart undone',
      'drain undone',
    ]);
    assert.deepEqual(storyOf('agent-2'), []);
    const secret = readFileSync(join(product.state, 'secrets', 'escalation'), 'utf8').trim();
    const webhook = new Webhook(secret);
    const told = webhook.verify(
      rawBody,
      headers as Record<string, string>, // Each of ours came once.
    ) as EscalationBody & { data: { temporalUi: string } };
    assert.equal(told.type, 'remediation.rolled_back');
    assert.equal(told.data.remediationId, row.id);
    assert.match(told.data.account, /Undoing restart: 1 succeeded\. Undoing drain: 1 succeeded\./);
    assert.ok(told.data.temporalUi.endsWith(`/workflows/${encodeURIComponent(row.id)}`));
    assert.equal(receiver.received[0]?.headers['webhook-id'], headers['webhook-id']);
    await eventually(async () => {
      const sent = await escalations('sent');
      assert.deepEqual(
        sent.map(({ remediationId, policy }) => [remediationId, policy]),
        [[row.id, 'useless']],
      );
    });
  });

  it('one that may not be sent is listed as dead, with why', async () => {
    const row = await repairOf('unheard', 'agent-2');

    await eventually(async () => {
      const [dead, ...others] = await escalations('dead');
      assert.deepEqual(others, []);
      assert.equal(dead?.remediationId, row.id);
      assert.match(dead.reason ?? '', /hooks\.example .*FIXPOINT_EGRESS_ALLOW/);
    });
  });

  it('a repair whose page is well, and still is after the soak, is verified and nothing is undone', async () => {
    const port = String(Number(product.environment['FIXPOINT_DEV_DEMO_PORT']) + 2);

    const row = await repairOf('page', 'agent-3', { port });

    assert.equal(row.state, 'verified');
    assert.deepEqual(storyOf('agent-3'), ['touched']);
  });
});
