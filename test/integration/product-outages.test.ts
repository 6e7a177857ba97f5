import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Connection } from '@temporalio/client';
import { Redis } from 'ioredis';
import { sha256Hex } from '../../platform/digest.ts';
import { aBody, anEntry } from '../support/alertmanager-posts.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningProduct, startProduct } from '../support/product.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { startTemporal, type TemporalServer } from '../support/temporal-server.ts';

const runbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: outage
steps:
  - name: act
    script: { interpreter: sh, inline: 'echo "$1" >> "$DEMO_DIR/acted"', args: ["\${labels.case}"] }
    contract: repeatable
verify: { probe: { script: { interpreter: sh, inline: 'grep -qx "$1" "$DEMO_DIR/acted"', args: ["\${labels.case}"] } }, within: 30s }
`;
const policy = `
apiVersion: fixpoint/v1
kind: Policy
name: outage
match: { source: alertmanager, matchers: ['alertname="Outage"'] }
group: { by: [case], wait: 0s }
targets: { from: { label: instance, strip: port, by: hostname } }
autonomy: auto
guards: { cooldown: 1s, maxRuns: { count: 100, window: 1m } }
runbook: outage
`;
const outageMs = 30_000;

// Servers that somebody else runs: the product uses them and must leave them running.
describe('the product on servers that are named by their address', () => {
  let redis: RedisServer;
  let temporal: TemporalServer;
  let product: RunningProduct;
  before(async () => {
    [redis, temporal] = await Promise.all([startRedis(), startTemporal()]);
    product = await startProduct({
      policies: { 'outage.yaml': policy },
      runbooks: { 'outage.yaml': runbook },
      env: { REDIS_URL: redis.url, TEMPORAL_ADDRESS: temporal.address },
    });
  });
  after(async () => {
    await product?.stop();
    await Promise.all([redis?.stop(), temporal?.stop()]);
  });

  const post = (name: string): Promise<Response> => {
    const labels = { alertname: 'Outage', instance: 'agent-1:1', case: name };
    return product.webhook(aBody([anEntry({ labels, fingerprint: sha256Hex(name).slice(0, 16) })]));
  };
  const verified = async (name: string) => {
    const row = await product.ended(({ group }) => group.startsWith(`${name}~`), 90_000);
    assert.equal(row.state, 'verified');
  };

  it('starts no server of its own', () => {
    const { pids } = product.run();

    assert.ok(!('redis' in pids) && !('temporal' in pids), Object.keys(pids).join(' '));
  });

  it('Redis hangs: a webhook is answered 503 within a second; when it is back, all works without a restart', async () => {
    assert.equal((await post('before-redis')).status, 200);
    const pids = product.run().pids;
    redis.pause();
    const from = performance.now();
    const refused = await post('during-redis');
    const tookMs = performance.now() - from;
    redis.resume();

    assert.equal(refused.status, 503);
    assert.ok(refused.headers.get('retry-after') !== null);
    assert.ok(tookMs < 1_000, `${tookMs} ms`);
    await eventually(async () => assert.equal((await post('after-redis')).status, 200), {
      withinMs: 20_000,
      everyMs: 500,
    });
    await verified('before-redis');
    await verified('after-redis');
    assert.deepEqual(product.run().pids, pids);
  });

  it('Temporal hangs for 30 s: every webhook is answered 200, and each one is acted on', async () => {
    const pids = product.run().pids;
    const names: string[] = [];
    temporal.pause();
    const until = performance.now() + outageMs;
    await eventually(
      async () => {
        if (names.length < 5) {
          const name = `hung-${names.length}`;
          assert.equal((await post(name)).status, 200);
          names.push(name);
        }
        assert.ok(performance.now() >= until, 'the outage goes on');
      },
      { withinMs: outageMs + 10_000, everyMs: 1_000 },
    );
    temporal.resume();

    for (const name of names) await verified(name);
    assert.equal(names.length, 5);
    assert.deepEqual(product.run().pids, pids);
  });

  it('stops and leaves both servers running', async () => {
    assert.equal(await product.stop(), 0);

    const client = new Redis(redis.url);
    assert.equal(await client.ping(), 'PONG');
    client.disconnect();
    const connection = await Connection.connect({ address: temporal.address });
    assert.ok(await connection.workflowService.getSystemInfo({}));
    await connection.close();
  });
});
