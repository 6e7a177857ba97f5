import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { sha256Hex } from '../../platform/digest.ts';
import { keys } from '../../redis/keys.ts';
import { aBody, anEntry } from '../support/alertmanager-posts.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningProduct, startProduct } from '../support/product.ts';

const policyOf = (name: string, targets: string, blastRadius: string) => `
apiVersion: fixpoint/v1
kind: Policy
name: ${name}
match: { source: alertmanager, matchers: ['alertname="${name}"'] }
group: { by: [case], wait: 0s }
targets: ${targets}
autonomy: auto
guards: { cooldown: 1s, maxRuns: { count: 100, window: 1s }, blastRadius: ${blastRadius} }
runbook: ${name === 'fleet' ? 'fleet' : 'wait'}
`;
const byHost = '{ from: { label: instance, strip: port, by: hostname } }';

/** Every host tells when it is touched and when it is proven. */
const fleetRunbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: fleet
steps:
  - name: touch
    script: { inline: 'sleep 0.2; echo "touched $DEMO_PORT" >> "$1"', args: ["\${labels.log}"] }
    contract: repeatable
    rollout: { batches: "1 *4" }
verify: { probe: { script: { inline: 'echo "proven $DEMO_PORT" >> "$1"', args: ["\${labels.log}"] } }, within: 20s }
`;
/** Waits on its host until a file is there. */
const waitRunbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: wait
steps:
  - name: wait
    script:
      inline: 'echo "$1" >> "$DEMO_DIR/started"; while [ ! -e "$DEMO_DIR/go-$1" ]; do sleep 0.1; done'
      args: ["\${labels.case}"]
    contract: repeatable
    timeout: 2m
verify: { probe: { script: { inline: 'echo "end of $1" >> "$DEMO_DIR/started"', args: ["\${labels.case}"] } }, within: 20s }
`;

describe('guards of the running product', () => {
  let product: RunningProduct;
  let redis: Redis;
  before(async () => {
    product = await startProduct({
      agents: 6,
      policies: {
        'fleet.yaml': policyOf('fleet', `{ select: ['service="demo"'] }`, '50%'),
        'one.yaml': policyOf('one', byHost, '100%'),
        'two.yaml': policyOf('two', byHost, '100%'),
      },
      runbooks: { 'fleet.yaml': fleetRunbook, 'wait.yaml': waitRunbook },
    });
    redis = new Redis(product.run().redis?.url ?? '');
  });
  after(async () => {
    redis?.disconnect();
    await product?.stop();
  });

  const alert = async (alertname: string, name: string, labels: Record<string, string>) => {
    const all = { alertname, case: name, ...labels };
    const fingerprint = sha256Hex(JSON.stringify(all)).slice(0, 16);
    const startsAt = new Date().toISOString();
    const body = aBody([anEntry({ labels: all, fingerprint, startsAt })]);
    await eventually(async () => assert.equal((await product.webhook(body)).status, 200));
  };
  const rowOf = (name: string) =>
    eventually(
      async () => {
        const row = (await product.remediations()).find(({ group }) =>
          group.startsWith(`${name}~`),
        );
        assert.ok(row, `${name} has no repair`);
        return row;
      },
      { withinMs: 20_000 },
    );
  const endOf = (name: string) =>
    product.ended(({ group }) => group.startsWith(`${name}~`)).then(({ state }) => state);
  const metric = async (
    text: string,
    worker: 'activities' | 'workflows' = 'activities',
  ): Promise<number> => {
    const answer = await fetch(`${product.run().metrics?.[worker]}/metrics`);
    const line = (await answer.text()).split('\n').find((each) => each.startsWith(`${text} `));
    return Number(line?.split(' ').at(-1) ?? Number.NaN);
  };
  const startedOn = (agent: string): readonly string[] => {
    const file = join(product.demoFolder(agent), 'started');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  };
  const go = (agent: string, name: string) =>
    writeFileSync(join(product.demoFolder(agent), `go-${name}`), '');

  it('six hosts in three zones, one of each at a time: each is proven before the next is touched', async () => {
    const log = join(product.folder, 'fleet.log');

    await alert('fleet', 'all', { log });

    assert.equal(await endOf('all'), 'verified');
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    const first = Number(product.environment['FIXPOINT_DEV_DEMO_PORT']);
    const held = new Map<number, number>();
    for (const line of lines) {
      const [what, port] = line.split(' ');
      const zone = (Number(port) - first) % 3;
      const now = (held.get(zone) ?? 0) + (what === 'touched' ? 1 : -1);
      assert.ok(
        now <= 1,
        `zone ${zone} had ${now} hosts that were not proven: ${lines.join(', ')}`,
      );
      held.set(zone, now);
    }
    assert.equal(lines.length, 12);
    const granted = 'fixpoint_admissions_total{result="granted"}';
    const byWorker = await Promise.all([metric(granted, 'workflows'), metric(granted)]);
    // At once by the one, and by the other what could not be answered in time on a busy box.
    assert.equal(
      byWorker.reduce((sum, hosts) => sum + (hosts || 0), 0),
      6,
    );
    await eventually(async () => assert.equal(await metric('fixpoint_governor_fenced'), 0));
    await eventually(async () =>
      assert.ok(Number.isNaN(await metric('fixpoint_hosts_held{domain="zone=a"}')), 'all are free'),
    );
  });

  it('two policies want one host: the second says who has it, and goes on when that has ended', async () => {
    await alert('one', 'holder', { instance: 'agent-1:1' });
    await eventually(() => assert.deepEqual(startedOn('agent-1'), ['holder']), {
      withinMs: 20_000,
    });
    const holder = await rowOf('holder');

    await alert('two', 'waiter', { instance: 'agent-1:1' });

    const waiter = await rowOf('waiter');
    await eventually(
      async () => {
        const { state, reason } = await product.progress(waiter.id);
        assert.equal(state, 'admitting');
        assert.ok(reason?.endsWith(`1 host busy: held by ${holder.id}`), reason ?? '');
      },
      { withinMs: 20_000 },
    );
    go('agent-1', 'waiter');
    go('agent-1', 'holder');
    assert.deepEqual([await endOf('holder'), await endOf('waiter')], ['verified', 'verified']);
    assert.deepEqual(startedOn('agent-1'), ['holder', 'end of holder', 'waiter', 'end of waiter']);
  });

  it('Redis forgets everything while a host is held: nobody else gets it, and all goes on', async () => {
    await alert('one', 'kept', { instance: 'agent-2:1' });
    await eventually(() => assert.deepEqual(startedOn('agent-2'), ['kept']), { withinMs: 20_000 });
    let wasFenced = false;

    await redis.flushall();

    await eventually(
      async () => {
        wasFenced ||= (await metric('fixpoint_governor_fenced')) === 1;
        assert.ok(wasFenced);
      },
      { withinMs: 10_000, everyMs: 50 },
    );
    // What began before the loss was seen is waited for a repeat (rule R4): this one begins after it.
    await eventually(async () => assert.equal(await redis.exists(keys.intake.since), 1));
    await alert('two', 'after', { instance: 'agent-2:1' });
    const waiter = await rowOf('after');
    await eventually(
      async () => assert.match((await product.progress(waiter.id)).reason ?? '', /busy: held by/),
      { withinMs: 40_000 },
    );
    assert.deepEqual(startedOn('agent-2'), ['kept']);
    go('agent-2', 'after');
    go('agent-2', 'kept');
    assert.deepEqual([await endOf('kept'), await endOf('after')], ['verified', 'verified']);
    assert.deepEqual(startedOn('agent-2'), ['kept', 'end of kept', 'after', 'end of after']);
  });
});
