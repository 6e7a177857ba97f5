import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { Redis } from 'ioredis';
import { sha256Hex } from '../../platform/digest.ts';
import { isAlive } from '../../tools/setup/process.mjs';
import { aBody, anEntry, scrape } from '../support/alertmanager-posts.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningProduct, startProduct } from '../support/product.ts';

const clone = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);
const canary = 'canary-5f2c9e71-do-not-keep';
const hostile =
  '$(touch pwned) `touch pwned` "double" \'single\' ; touch pwned\nsecond line 主机 🙂';

const dataRunbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: data
steps:
  - name: write
    script:
      interpreter: sh
      inline: 'printf "%s" "$1" > "$DEMO_DIR/argument"; printf "%s" "$NOTE" > "$DEMO_DIR/variable"; cat > "$DEMO_DIR/stdin"; pwd > "$DEMO_DIR/where"'
      args: ["\${labels.note}"]
      env: { NOTE: "\${labels.note}" }
      stdin: alerts
    contract: repeatable
verify: { probe: { script: { interpreter: sh, inline: 'test -s "$DEMO_DIR/stdin"' } }, within: 20s }
`;
const secretRunbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: secret
steps:
  - name: use
    script:
      interpreter: sh
      inline: 'read -r line; echo "env $TOKEN stdin $line"; [ "$TOKEN" = "$line" ] && echo used > "$DEMO_DIR/secret-used"'
      env: { TOKEN: { secret: canary } }
      stdin: { secret: canary }
    contract: repeatable
verify: { probe: { script: { interpreter: sh, inline: 'test -s "$DEMO_DIR/secret-used"' } }, within: 20s }
`;
const policyFor = (name: string, alertname: string) => `
apiVersion: fixpoint/v1
kind: Policy
name: ${name}
match: { source: alertmanager, matchers: ['alertname="${alertname}"'] }
group: { by: [instance], wait: 200ms }
targets: { from: { label: instance, strip: port, by: hostname } }
autonomy: auto
guards: { cooldown: 1s, maxRuns: { count: 100, window: 1m } }
runbook: ${name}
`;

const shipped = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(join(clone, folder)).map((name) => [
      name,
      readFileSync(join(clone, folder, name), 'utf8'),
    ]),
  );

describe('the running product', () => {
  let product: RunningProduct;
  before(async () => {
    product = await startProduct({
      policies: {
        ...shipped('policies'),
        'data.yaml': policyFor('data', 'Data'),
        'secret.yaml': policyFor('secret', 'Secret'),
      },
      runbooks: { ...shipped('runbooks'), 'data.yaml': dataRunbook, 'secret.yaml': secretRunbook },
    });
  });
  after(async () => {
    await product?.stop();
  });

  const agentsIds = async () => {
    const { gateway, token } = product.run();
    const answer = await fetch(new URL('/v1/agents', gateway.url), {
      headers: { authorization: `Bearer ${token}` },
    });
    const { items } = (await answer.json()) as { items: { id: string; name: string }[] };
    return new Map(items.map(({ id, name }) => [name, id]));
  };
  const journalBytes = (agentId: string | undefined): number => {
    const folder = join(product.state, 'agents', agentId ?? '', 'journal');
    return readdirSync(folder).reduce(
      (sum, file) => sum + readFileSync(join(folder, file)).length,
      0,
    );
  };
  const demoPid = (agent: string): number =>
    Number(readFileSync(join(product.demoFolder(agent), 'service.pid'), 'utf8'));
  const entry = (labels: Record<string, string>) =>
    anEntry({ labels, fingerprint: sha256Hex(JSON.stringify(labels)).slice(0, 16) });

  it('the README’s curl heals the killed demo service of agent 2, and touches no other host', async () => {
    const before = demoPid('agent-2');
    process.kill(before, 'SIGKILL');
    const readme = readFileSync(join(clone, 'README.md'), 'utf8');
    const command = /```sh\n(curl -s http[\s\S]*?)\n```/.exec(readme)?.[1] ?? '';
    const here = command
      .replaceAll('http://127.0.0.1:8450', product.run().api.url)
      .replaceAll('.fixpoint', product.state);

    const { stdout } = await run('sh', ['-c', here]);

    assert.deepEqual([JSON.parse(stdout).received, JSON.parse(stdout).accepted], [1, 1]);
    const row = await product.ended(({ policy }) => policy === 'demo-service');
    assert.deepEqual([row.state, row.hosts, row.hostsFailed], ['verified', 1, 0]);
    assert.notEqual(demoPid('agent-2'), before);
    assert.ok(isAlive(demoPid('agent-2')));
    const { targets } = await product.progress(row.id);
    assert.deepEqual(
      targets.map(({ name, letter }) => [name, letter]),
      [['agent-2', 's']],
    );
    const ids = await agentsIds();
    assert.ok(journalBytes(ids.get('agent-2')) > 0);
    assert.equal(journalBytes(ids.get('agent-1')), 0);
    assert.equal(journalBytes(ids.get('agent-3')), 0);
  });

  it('one body ten times is one repair: handed 1, duplicate 9', async () => {
    const fates = async () => (await scrape(product.run().api.url)).fates;
    const before = await fates();
    const body = aBody([
      entry({ alertname: 'DemoDiskFull', instance: 'agent-1:1', service: 'demo' }),
    ]);

    for (let time = 0; time < 10; time++) assert.equal((await product.webhook(body)).status, 200);

    await product.ended(({ policy }) => policy === 'demo-disk');
    const gained = (fate: string, now: Record<string, number>) =>
      (now[fate] ?? 0) - (before[fate] ?? 0);
    const now = await fates();
    assert.deepEqual([gained('handed', now), gained('duplicate', now)], [1, 9]);
    assert.equal(readdirSync(join(product.demoFolder('agent-1'), 'cache')).length, 10);
  });

  it('alert values reach a script as data, byte for byte', async () => {
    const labels = { alertname: 'Data', instance: 'agent-3:1', note: hostile };

    await product.webhook(aBody([entry(labels)]));

    const row = await product.ended(({ policy }) => policy === 'data');
    assert.equal(row.state, 'verified');
    const written = (name: string) =>
      readFileSync(join(product.demoFolder('agent-3'), name), 'utf8');
    assert.equal(written('argument'), hostile);
    assert.equal(written('variable'), hostile);
    const [alert] = JSON.parse(written('stdin'));
    assert.deepEqual(Object.fromEntries(alert.labels), labels);
    assert.ok(!existsSync(join(written('where').trim(), 'pwned')));
  });

  it('a secret in header, environment, stdin and output is kept nowhere but on its host', async () => {
    const agentId = (await agentsIds()).get('agent-1') ?? '';
    const secrets = join(product.state, 'agents', agentId, 'secrets');
    mkdirSync(secrets, { recursive: true, mode: 0o700 });
    writeFileSync(join(secrets, 'canary'), canary, { mode: 0o600 });
    const token = readFileSync(
      join(product.state, 'secrets', 'webhook-alertmanager'),
      'utf8',
    ).trim();

    const answer = await product.api('/v1/webhooks/alertmanager', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'x-secret': canary,
      },
      body: JSON.stringify(aBody([entry({ alertname: 'Secret', instance: 'agent-1:1' })])),
    });

    assert.equal(answer.status, 200);
    const row = await product.ended(({ policy }) => policy === 'secret');
    assert.equal(row.state, 'verified', 'the script got the secret on both ways');
    const places = {
      ...(await redisTexts(product)),
      ...(await historyTexts(product)),
      ...fileTexts(product),
    };
    assert.ok(Object.keys(places).length > 20, `looked into ${Object.keys(places).length} places`);
    for (const secret of [canary, token]) {
      const hits = Object.entries(places).filter(([, text]) => text.includes(secret));
      assert.deepEqual(
        hits.map(([place]) => place),
        [],
      );
    }
  });

  it('Ctrl-C ends it with 0 within 10 s, and every process it recorded is gone', async () => {
    const pids = [...Object.values(product.run().pids), demoPid('agent-2')];
    const from = performance.now();

    assert.equal(await product.stop(), 0);

    // What a job left behind is nobody's child: it is gone once init has taken note.
    await eventually(() =>
      assert.deepEqual(
        pids.filter((pid) => isAlive(pid)),
        [],
      ),
    );
    assert.ok(performance.now() - from < 10_000);
  });
});

/** Everything in Redis, as text, by key. */
async function redisTexts(product: RunningProduct): Promise<Record<string, string>> {
  const client = new Redis(product.run().redis?.url ?? '');
  const texts: Record<string, string> = {};
  for (const key of await client.keys('*')) {
    // DUMP compresses long strings, so each kind is read as what it is.
    const read: Record<string, () => Promise<unknown>> = {
      string: () => client.get(key),
      hash: () => client.hgetall(key),
      list: () => client.lrange(key, 0, -1),
      zset: () => client.zrange(key, '0', '-1'),
      set: () => client.smembers(key),
      stream: () => client.xrange(key, '-', '+'),
    };
    const value = await read[await client.type(key)]?.();
    assert.notEqual(value, undefined, key);
    texts[`redis ${key}`] = JSON.stringify(value);
  }
  client.disconnect();
  return texts;
}

/** Every event of every workflow, payloads decoded as text. */
async function historyTexts(product: RunningProduct): Promise<Record<string, string>> {
  const connection = await Connection.connect({ address: product.run().temporal.address });
  const client = new Client({ connection });
  const texts: Record<string, string> = {};
  for await (const { workflowId, runId } of client.workflow.list()) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    texts[`history ${workflowId}`] = JSON.stringify(history, (_, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value,
    );
  }
  await connection.close();
  return texts;
}

/** Every file of the state folder but the two places where secrets belong. */
function fileTexts(product: RunningProduct): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const file of readdirSync(product.state, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name);
    const isSecretPlace = /\/secrets\//.test(path);
    // Databases of the two servers are read through their servers above.
    const isDatabase = /\/redis\/|temporal\.db/.test(path);
    if (file.isFile() && !isSecretPlace && !isDatabase) texts[path] = readFileSync(path, 'utf8');
  }
  return texts;
}
