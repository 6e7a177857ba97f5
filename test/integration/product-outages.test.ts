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
guards: { cooldown: 1s, maxRuns: { count: 100, window: 1m }, blastRadius: "100%" }
runbook: outage
`;
const killedMs = 30_000;
/** Longer than any deadline of a call to Temporal, so that calls end on both sides of it. */
const hangsMs = 12_000;

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

  it('Redis is killed: 503 within a second while it is gone; started again, what was answered 200 is acted on', async () => {
    const { pids } = product.run();
    // Without a dispatcher it is sure to be in Redis alone when that is killed.
    process.kill(product.pidOf('dispatcher'), 'SIGSTOP');
    try {
      assert.equal((await post('before-kill')).status, 200);
      await redis.kill();
    } finally {
      process.kill(product.pidOf('dispatcher'), 'SIGCONT');
    }
    const answers: (readonly [status: number, tookMs: number])[] = [];
    for (let at = 0; at < 5; at += 1) {
      const from = performance.now();
      const { status } = await post(`while-gone-${at}`);
      answers.push([status, performance.now() - from]);
    }
    await redis.restart();

    for (const [status, tookMs] of answers) {
      assert.equal(status, 503);
      assert.ok(tookMs < 1_000, `${tookMs} ms`);
    }
    await eventually(async () => assert.equal((await post('after-kill')).status, 200), {
      withinMs: 20_000,
      everyMs: 500,
    });
    await verified('before-kill');
    await verified('after-kill');
    assert.deepEqual(product.run().pids, pids);
  });

  /** Posts five webhooks in `outageMs`, each answered 200; their names. */
  const postThrough = async (outageMs: number, name: string): Promise<readonly string[]> => {
    const names: string[] = [];
    const until = performance.now() + outageMs;
    await eventually(
      async () => {
        if (names.length < 5) {
          assert.equal((await post(`${name}-${names.length}`)).status, 200);
          names.push(`${name}-${names.length}`);
        }
        assert.ok(performance.now() >= until, 'the outage goes on');
      },
      { withinMs: outageMs + 10_000, everyMs: 1_000 },
    );
    assert.equal(names.length, 5);
    return names;
  };

  it('Temporal hangs: every webhook is answered 200, and each one is acted on', async () => {
    const { pids } = product.run();
    temporal.pause();
    const names = await postThrough(hangsMs, 'hung');
    temporal.resume();

    for (const name of names) await verified(name);
    assert.deepEqual(product.run().pids, pids);
  });

  it('Temporal is killed and gone for 30 s: every webhook is answered 200, and each one is acted on', async () => {
    const { pids } = product.run();
    await temporal.kill();
    const names = await postThrough(killedMs, 'gone');
    await temporal.restart();

    for (const name of names) await verified(name);
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
