import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../platform/clock.ts';
import { sha256Hex } from '../../platform/digest.ts';
import { aBody, anEntry, scrapeAllTheTime, scrapeSettled } from '../support/alertmanager-posts.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningProduct, startProduct } from '../support/product.ts';
import { startTemporal, type TemporalServer } from '../support/temporal-server.ts';

const runbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: away
steps:
  - name: act
    script: { inline: 'echo "$1" >> "$DEMO_DIR/acted"; sleep "$2"', args: ["\${labels.case}", "\${labels.seconds}"] }
    contract: once
    timeout: 2m
verify: { probe: { script: { inline: 'grep -qx "$1" "$DEMO_DIR/acted"', args: ["\${labels.case}"] } }, within: 30s }
`;
const policy = `
apiVersion: fixpoint/v1
kind: Policy
name: away
match: { source: alertmanager, matchers: ['alertname="Away"'] }
group: { by: [case, seconds], wait: 0s }
targets: { from: { label: instance, strip: port, by: hostname } }
autonomy: auto
guards: { cooldown: 10m, maxRuns: { count: 100, window: 10m }, blastRadius: "100%" }
runbook: away
`;
const awayMs = 60_000;
const bodiesASecond = 5;
const alertsABody = 10;
const groups = 30;

describe('Temporal away for a minute', () => {
  let temporal: TemporalServer;
  let product: RunningProduct;
  before(async () => {
    temporal = await startTemporal();
    product = await startProduct({
      policies: { 'away.yaml': policy },
      runbooks: { 'away.yaml': runbook },
      env: { TEMPORAL_ADDRESS: temporal.address },
    });
  });
  after(async () => {
    await product?.stop();
    await temporal?.stop();
  });

  let alerts = 0;
  const anAlert = (group: string, agent: string, seconds: string) => {
    alerts += 1;
    const labels = {
      alertname: 'Away',
      case: group,
      seconds,
      instance: `${agent}:1`,
      n: `${alerts}`,
    };
    const fingerprint = sha256Hex(JSON.stringify(labels)).slice(0, 16);
    return anEntry({ labels, fingerprint, startsAt: new Date().toISOString() });
  };
  const post = async (entries: readonly ReturnType<typeof anAlert>[]) => {
    assert.equal((await product.webhook(aBody(entries))).status, 200);
  };
  /** Fifty alerts a second, however slow the answers are. */
  async function postThrough(ms: number): Promise<void> {
    const from = systemClock.monotonic();
    const posts: Promise<void>[] = [];
    for (let at = 0; at < (ms / 1_000) * bodiesASecond; at += 1) {
      const waitMs = from + (at * 1_000) / bodiesASecond - systemClock.monotonic();
      if (waitMs > 0) await systemClock.sleep(waitMs);
      const entries = Array.from({ length: alertsABody }, (_, each) => {
        const group = (at * alertsABody + each) % groups;
        return anAlert(`group-${group}`, `agent-${(group % 2) + 2}`, '0');
      });
      posts.push(post(entries));
      posts.at(-1)?.catch(() => {}); // Heard below, with all of them.
    }
    await Promise.all(posts);
  }

  it('50 alerts a second meanwhile: none is lost, all is worked off, and what ran is known', async () => {
    const acted = join(product.demoFolder('agent-1'), 'acted');
    await post([anAlert('running', 'agent-1', '20')]);
    await eventually(() => assert.ok(existsSync(acted)), { withinMs: 20_000 });
    const scraping = scrapeAllTheTime(product.run().api.url);

    await temporal.kill();
    await postThrough(awayMs);
    await temporal.restart();

    const { fates, received } = await scrapeSettled(product.run().api.url, 120_000);
    const { withBacklog } = await scraping.stop();
    assert.ok(withBacklog > 0);
    assert.deepEqual([received, fates], [alerts, { handed: alerts }]);
    await eventually(
      async () => {
        const rows = await product.remediations();
        const states = rows.map(({ state }) => state);
        assert.ok(rows.length >= groups + 1, `${rows.length} repairs`);
        assert.deepEqual([...new Set(states)], ['verified']);
      },
      { withinMs: 240_000, everyMs: 1_000 },
    );
    for (const { id } of await product.remediations()) {
      const { targets } = await product.progress(id);
      assert.ok(
        targets.every(({ letter }) => letter === 's'),
        id,
      );
    }
    assert.equal(readFileSync(acted, 'utf8'), 'running\n');
  });
});
