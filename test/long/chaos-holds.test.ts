import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { sha256Hex } from '../../platform/digest.ts';
import { aBody, anEntry } from '../support/alertmanager-posts.ts';
import { SeededRandom } from '../support/chaos/random.ts';
import { holdViolations, touchRecordsOf } from '../support/checker/hold-rules.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningProduct, startProduct } from '../support/product.ts';

const seed = Math.floor(Math.random() * 4_294_967_296);
const policies = 5;
const casesEach = 4;
const hosts = 6;
const zones = 3;
/** Half of the two agents of a zone. */
const cap = 1;
const losses = 3;

const policyOf = (name: string) => `
apiVersion: fixpoint/v1
kind: Policy
name: ${name}
match: { source: alertmanager, matchers: ['alertname="${name}"'] }
group: { by: [case], wait: 0s }
targets: { select: ['service="demo"'] }
autonomy: auto
guards: { cooldown: 10m, maxRuns: { count: 100, window: 10m }, breaker: off, blastRadius: 50% }
runbook: touch
`;
const runbookOf = (log: string) => `
apiVersion: fixpoint/v1
kind: Runbook
name: touch
steps:
  - name: touch
    script: { inline: 'echo "touched $1 $DEMO_PORT" >> ${log}; sleep 0.2', args: ["\${labels.case}"] }
    contract: once
    rollout: { batches: "1 *3" }
verify: { probe: { script: { inline: 'echo "proven $1 $DEMO_PORT" >> ${log}', args: ["\${labels.case}"] } }, within: 60s }
`;

describe(`caps and holds while Redis forgets and parts die, seed ${seed}`, () => {
  const random = new SeededRandom(seed);
  let product: RunningProduct;
  let redis: Redis;
  before(async () => {
    const names = Array.from({ length: policies }, (_, at) => `p${at + 1}`);
    product = await startProduct({
      agents: hosts,
      policies: Object.fromEntries(names.map((name) => [`${name}.yaml`, policyOf(name)])),
      runbooks: { 'touch.yaml': runbookOf('"$DEMO_DIR/../touches"') },
    });
    redis = new Redis(product.run().redis?.url ?? '');
  });
  after(async () => {
    redis?.disconnect();
    await product?.stop();
  });

  const alert = async (policy: string, name: string) => {
    const labels = { alertname: policy, case: name };
    const entry = anEntry({
      labels,
      fingerprint: sha256Hex(name).slice(0, 16),
      startsAt: new Date().toISOString(),
    });
    await eventually(async () => assert.equal((await product.webhook(aBody([entry]))).status, 200));
  };
  const fenced = async () => {
    const answer = await fetch(`${product.run().metrics?.['activities']}/metrics`);
    return Number(/^fixpoint_governor_fenced (\d)$/m.exec(await answer.text())?.[1]);
  };
  /** Redis forgets, and while nobody may be admitted a part dies beside it. */
  async function loseRedis(): Promise<void> {
    await redis.flushall();
    const victim = random.of(['activities', 'workflows', 'gateway', 'agent-2', null]);
    if (victim === null || victim === 'activities') {
      await eventually(async () => assert.equal(await fenced(), 1), {
        withinMs: 10_000,
        everyMs: 20,
      });
    }
    if (victim !== null) process.kill(product.pidOf(victim), 'SIGKILL');
    await eventually(async () => assert.equal(await fenced(), 0), {
      withinMs: 90_000,
      everyMs: 100,
    });
  }
  const ended = async () =>
    (await product.remediations()).filter(({ endedAt }) => endedAt !== null).length;

  it('five policies and a run by hand: no cap is passed, no host has two holders, all is proven', async () => {
    for (let at = 0; at < casesEach; at += 1) {
      for (let policy = 1; policy <= policies; policy += 1)
        await alert(`p${policy}`, `c${policy}-${at}`);
    }
    const started = await product.api('/v1/remediations', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ runbook: 'touch', select: ['service="demo"'], labels: { case: 'by-hand' } },
        ...{ blastRadius: '50%', reason: 'chaos' },
      }),
    });
    assert.equal(started.status, 201, await started.text());
    const all = policies * casesEach + 1;

    for (let loss = 1; loss <= losses; loss += 1) {
      const enough = Math.floor((loss * all) / (losses + 2));
      await eventually(async () => assert.ok((await ended()) >= enough), {
        ...{ withinMs: 240_000, everyMs: 200 },
      });
      await loseRedis();
    }

    await eventually(async () => assert.equal(await ended(), all), {
      ...{ withinMs: 300_000, everyMs: 500 },
    });
    const states = (await product.remediations()).map(({ state }) => state);
    assert.deepEqual([...new Set(states)], ['verified']);
    const first = Number(product.environment['FIXPOINT_DEV_DEMO_PORT']);
    const records = touchRecordsOf(readFileSync(join(product.demoFolder('touches')), 'utf8'));
    const wrong = holdViolations(records, {
      domainOf: (port) => `zone ${(Number(port) - first) % zones}`,
      cap,
    });
    assert.deepEqual(wrong, []);
    assert.equal(records.filter(({ what }) => what === 'touched').length, all * hosts);
  });
});
