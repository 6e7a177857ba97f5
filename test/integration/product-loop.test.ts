import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { Redis } from 'ioredis';
import { z } from 'zod';
import { controlState } from '../../cli/answers.ts';
import { deliveryView, remediationProgress, remediationRow } from '../../contracts/http.ts';
import { agentView, taskReport } from '../../contracts/task.ts';
import { taskIdOf } from '../../domain/ids.ts';
import { systemClock } from '../../platform/clock.ts';
import { sha256, sha256Hex } from '../../platform/digest.ts';
import { isAlive } from '../../tools/setup/process.mjs';
import { aBody, anEntry, scrape } from '../support/alertmanager-posts.ts';
import { assertApiContract } from '../support/api-contract.ts';
import { runInProcess } from '../support/cli-run.ts';
import { eventually } from '../support/eventually.ts';
import { keptTexts } from '../support/kept-texts.ts';
import { loopPolicies, loopRunbooks } from '../support/loop-policies.ts';
import { type RunningProduct, startProduct } from '../support/product.ts';

const clone = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);
const canary = 'canary-5f2c9e71-do-not-keep';
const hostile =
  '$(touch pwned) `touch pwned` "double" \'single\' ; touch pwned\nsecond line 主机 🙂';

describe('the running product', () => {
  let product: RunningProduct;
  before(async () => {
    product = await startProduct({ policies: loopPolicies(), runbooks: loopRunbooks() });
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
  const health = async (agent: string): Promise<unknown> => {
    const { FIXPOINT_DEV_DEMO_PORT: first } = product.environment;
    const port = Number(first) + Number(agent.replace('agent-', '')) - 1;
    return (await fetch(`http://127.0.0.1:${port}/health`)).json();
  };
  const demoPid = (agent: string): number =>
    Number(readFileSync(join(product.demoFolder(agent), 'service.pid'), 'utf8'));
  const entry = (labels: Record<string, string>) =>
    anEntry({ labels, fingerprint: sha256Hex(JSON.stringify(labels)).slice(0, 16) });
  const fates = async () => (await scrape(product.run().api.url)).fates;
  /** What the command line prints as JSON, asked of the running product. */
  const cliJson = async (...argv: readonly string[]): Promise<unknown> => {
    const environment = { FIXPOINT_STATE_DIR: product.state };
    const clock = systemClock;
    const { status, out, err } = await runInProcess([...argv, '-o', 'json'], {
      environment,
      clock,
    });
    assert.equal(status, 0, err);
    return JSON.parse(out);
  };

  it('the README’s curl heals the killed demo service of agent 2, and touches no other host', async () => {
    const before = demoPid('agent-2');
    process.kill(before, 'SIGKILL');
    const readme = readFileSync(join(clone, 'README.md'), 'utf8');
    const command = /```sh\n(curl -s http[\s\S]*?)\n```/.exec(readme)?.[1] ?? '';
    const here = command
      .replaceAll('http://127.0.0.1:8450', product.run().api.url)
      .replaceAll('.fixpoint', product.state)
      .replace('curl -s ', "curl -s -w '\\n%{http_code}' ");

    const { stdout } = await run('sh', ['-c', here]);

    const [answer = '', status] = stdout.split('\n');
    assert.equal(status, '200');
    assert.deepEqual([JSON.parse(answer).received, JSON.parse(answer).accepted], [1, 1]);
    const row = await product.ended(({ policy }) => policy === 'demo-service');
    assert.deepEqual([row.state, row.hosts, row.hostsFailed], ['verified', 1, 0]);
    const listed = z.array(remediationRow).parse(await cliJson('remediation', 'ls'));
    assert.deepEqual(
      listed.map(({ id, state, policy }) => [id, state, policy]),
      [[row.id, 'verified', 'demo-service']],
    );
    assert.deepEqual(await health('agent-2'), { status: 'ok', pid: demoPid('agent-2') });
    assert.notEqual(demoPid('agent-2'), before);
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
    const places = await keptTexts(product);
    // What is looked for would be found: the secret's name, and the alert's, stand in each of these.
    const holds = (place: string, text: string) =>
      Object.entries(places).some(([name, kept]) => name.startsWith(place) && kept.includes(text));
    assert.ok(holds(`history ${row.id} `, '"secretEnv":{"TOKEN":"canary"}'));
    assert.ok(holds(`history ${row.id} `, '"alertname","Secret"'));
    for (const place of ['redis fx:{intake}:', 'file redis/', 'file temporal.db']) {
      assert.ok(holds(place, '"alertname","Secret"'), place);
    }
    assert.ok(holds('file audit/', row.id));
    assert.ok(holds('file logs/', '"level"'));
    assert.ok(holds('what npm start said', 'alert send'));
    for (const secret of [canary, token]) {
      const hits = Object.entries(places).filter(([, text]) => text.includes(secret));
      assert.deepEqual(
        hits.map(([place]) => place),
        [],
      );
    }
  });

  /** A repair whose script waits on its host until `go` is called; its row once it waits there. */
  const waiting = async (name: string, agent = 'agent-3') => {
    const file = (kind: string) => join(product.demoFolder(agent), `${kind}-${name}`);
    const alert = entry({ alertname: 'Wait', instance: `${agent}:1`, case: name });
    assert.equal((await product.webhook(aBody([alert]))).status, 200);
    await eventually(() => assert.ok(existsSync(file('waiting'))), { withinMs: 20_000 });
    const isOurs = ({ group }: { group: string }) => group.startsWith(`${name}-`);
    const row = (await product.remediations()).find(isOurs);
    assert.ok(row);
    const starts = () => readFileSync(file('waiting'), 'utf8').split('\n').length - 1;
    return { alert, id: row.id, isOurs, starts, go: () => writeFileSync(file('go'), '') };
  };

  it('a startsAt moved backwards while the repair runs joins it: nothing new, ever', async () => {
    const before = await fates();
    const { alert, id, isOurs, starts, go } = await waiting('backwards');
    const earlier = { ...alert, startsAt: '2025-12-31T23:00:00Z' };

    assert.equal((await product.webhook(aBody([earlier]))).status, 200);

    await eventually(async () =>
      assert.equal((await fates())['handed'], (before['handed'] ?? 0) + 2),
    );
    go();
    const row = await product.ended(isOurs);
    assert.deepEqual([row.id, row.state], [id, 'verified']);
    await mailboxClosed(id);
    assert.deepEqual(
      (await product.remediations()).filter(isOurs).map((one) => one.id),
      [id],
    );
    assert.equal(starts(), 1);
  });

  it('resolved by webhook while the repair waits for its plan: it hears so, and nothing starts', async () => {
    const alert = entry({ alertname: 'Wait', instance: 'agent-3:1', case: 'over' });
    const isOurs = ({ group }: { group: string }) => group.startsWith('over-');
    const redis = new Redis(product.run().redis?.url ?? '');
    const frozen = [product.pidOf('activities'), product.pidOf('gateway')];
    for (const pid of frozen) process.kill(pid, 'SIGSTOP');
    try {
      // No plan can be made at once, and the gateway would say anew who is enrolled.
      await redis.del('fx:{inv}:meta');
      assert.equal((await product.webhook(aBody([alert]))).status, 200);
      const { id } = await eventually(async () => {
        const found = (await product.remediations()).find(isOurs);
        assert.ok(found);
        return found;
      });
      const resolved = { ...alert, status: 'resolved', endsAt: new Date().toISOString() };
      assert.equal((await product.webhook(aBody([resolved]))).status, 200);
      // The plan, which reads the tombstones, has not been made: this came through the mailbox.
      await eventually(async () => {
        const { state, episodes } = await product.progress(id);
        assert.deepEqual([state, episodes.map(({ open }) => open)], ['planning', [false]]);
      });
    } finally {
      for (const pid of frozen) process.kill(pid, 'SIGCONT');
      redis.disconnect();
    }

    const row = await product.ended(isOurs);
    assert.equal(row.state, 'superseded');
    const { steps } = await product.progress(row.id);
    assert.deepEqual(
      steps.flatMap(({ batches }) => batches),
      [],
    );
    assert.ok(!existsSync(join(product.demoFolder('agent-3'), 'waiting-over')));
  });

  it('the command line tells of parts, agents, alerts, policies and the audit log', async () => {
    const rows = z.array(z.looseObject({ id: z.string(), state: z.string() }));
    const [newest] = z.array(deliveryView).parse(await cliJson('alert', 'ls', '--limit', '1'));
    const parts = rows.parse(await cliJson('status'));
    const agents = z.array(agentView).parse(await cliJson('agent', 'ls'));
    const shown = agentView.parse(await cliJson('agent', 'show', 'agent-2'));
    const why = z.looseObject({ state: z.string(), remediations: rows });
    const told = why.parse(await cliJson('alert', 'why', newest?.deliveryId ?? ''));
    const label = ['-l', 'alertname=DemoDiskFull', '-l', 'instance=agent-1:1'];
    const verdicts = rows.parse(await cliJson('policy', 'test', ...label));
    const audit = rows.parse(await cliJson('audit', 'tail', '-n', '5'));

    assert.deepEqual(
      parts.filter(({ state }) => !['up', 'allowed', '-'].includes(state)),
      [],
    );
    assert.ok(parts.some((row) => row.id === 'agents' && row['detail'] === '3 of 3 online'));
    assert.deepEqual(
      agents.map(({ name, state }) => [name, state]).sort(),
      ['agent-1', 'agent-2', 'agent-3'].map((name) => [name, 'online']),
    );
    assert.equal(shown.id, (await agentsIds()).get('agent-2'));
    assert.deepEqual([newest?.name, told.state], ['Wait', 'handed']);
    assert.deepEqual(
      told.remediations.map(({ state }) => state),
      ['superseded'],
    );
    assert.deepEqual(
      verdicts.filter(({ state }) => state === 'taken').map(({ id }) => id),
      ['demo-disk'],
    );
    assert.ok(audit.some(({ state }) => state === 'superseded'));
  });

  it('the command line stops everything and allows it again', async () => {
    const stopped = controlState.parse(await cliJson('control', 'stop', '--reason', 'a drill'));
    const shown = controlState.parse(await cliJson('control', 'show'));
    const allowed = controlState.parse(await cliJson('control', 'allow', '--reason', 'over'));

    assert.deepEqual([stopped.stopped, shown.reason, allowed.stopped], [true, 'a drill', false]);
    assert.ok(stopped.revision < allowed.revision);
  });

  it('the command line sends an alert, follows its repair, and cancels repairs and tasks', async () => {
    const demo = ['--demo', 'disk-full', '--agent', 'agent-3'];
    const sent = z
      .object({ id: z.string(), accepted: z.int() })
      .parse(await cliJson('alert', 'send', ...demo));
    const healed = await tail('last', 0);
    // A host has one repair at a time.
    const [repair, task] = [await waiting('one'), await waiting('two', 'agent-2')];
    const kept = await cliJson('remediation', 'cancel', repair.id, '--reason', 'a drill');
    const cancelled = await tail(repair.id, 1);
    const key = `${task.id}/wait/1/1`;
    const report = taskReport.parse(await cliJson('task', 'cancel', key));
    const failed = await tail(task.id, 1);
    const shown = taskReport.parse(await cliJson('task', 'show', key));

    assert.equal(sent.accepted, 1);
    const [delivery] = z
      .array(deliveryView)
      .parse(await cliJson('alert', 'ls', '--limit', '50'))
      .filter(({ deliveryId }) => deliveryId === sent.id);
    assert.equal(delivery?.name, 'DemoDiskFull');
    assert.deepEqual([healed?.policy, healed?.state], ['demo-disk', 'verified']);
    assert.deepEqual(kept, { id: repair.id, state: 'cancelling' });
    assert.deepEqual([cancelled?.state, cancelled?.targets[0]?.letter], ['cancelled', 'c']);
    assert.equal(report.key, key);
    assert.deepEqual([failed?.state, shown.state, shown.letters], ['failed', 'finished', 'c']);
  });

  it('api and gateway keep what the command line takes for granted', async () => {
    const { api, gateway, token } = product.run();
    const row = (await product.remediations()).find(({ policy }) => policy === 'demo-service');
    assert.ok(row);
    const { steps } = await product.progress(row.id);
    const taskId = taskIdOf(steps[0]?.batches[0]?.taskKey ?? '', sha256);
    const remediationId = row.id;

    await assertApiContract({ api: api.url, gateway: gateway.url, token, remediationId, taskId });
  });

  /** The last line of `remediation tail -o json`, which ends with `status`. */
  const tail = async (id: string, status: number) => {
    const environment = { FIXPOINT_STATE_DIR: product.state };
    const argv = ['remediation', 'tail', id, '--timeout', '30s', '-o', 'json'];
    const told = await runInProcess(argv, { environment, clock: systemClock });
    assert.equal(told.status, status, told.err + told.out);
    const lines = told.out.trimEnd().split('\n');
    return lines.map((line) => remediationProgress.parse(JSON.parse(line))).at(-1);
  };
  /** Awaits that the mailbox of a repair has done all it had to do, and closed. */
  const mailboxClosed = async (remediationId: string) => {
    const connection = await Connection.connect({ address: product.run().temporal.address });
    const mailboxId = remediationId.replace(/^remediation/, 'mailbox').replace(/:[^:]*$/, '');
    await new Client({ connection }).workflow.getHandle(mailboxId).result();
    await connection.close();
  };

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
