import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CallbackReceiver } from '../support/callback-receiver.ts';
import { eventually } from '../support/eventually.ts';
import { FakeAgent } from '../support/fake-agent.ts';
import { freePort } from '../support/free-port.ts';
import { callbackSecret, GatewayHost } from '../support/gateway-host.ts';
import { programEnvironment } from '../support/program-environment.ts';

const main = join(import.meta.dirname, '../../agent-gateway/main.ts');
const token = 'a-token-of-a-gateway-of-its-own';

describe('a gateway killed at its boundaries', () => {
  let host: GatewayHost;
  let directory: string;
  let ports: { agents: number; http: number; metrics: number };
  const children: ChildProcess[] = [];
  before(async () => {
    // The host's own gateway makes room for one in a process of its own, on the same Redis.
    host = await GatewayHost.start();
    await host.stopGateway();
    directory = await mkdtemp(join(tmpdir(), 'fixpoint-gateway-crash-'));
    await host.writeCertificates(directory);
    ports = { agents: await freePort(), http: await freePort(), metrics: await freePort() };
  });
  after(async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await host.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const start = async (crashPoint: string): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [main], {
      env: programEnvironment({
        REDIS_URL: host.redisServer.url,
        FIXPOINT_AGENT_LISTEN: `127.0.0.1:${ports.agents}`,
        FIXPOINT_GATEWAY_LISTEN: `127.0.0.1:${ports.http}`,
        FIXPOINT_METRICS_LISTEN: `127.0.0.1:${ports.metrics}`,
        FIXPOINT_GATEWAY_ID: 'gateway-1',
        FIXPOINT_GATEWAY_TOKEN: token,
        FIXPOINT_CALLBACK_SECRET: callbackSecret,
        FIXPOINT_CERTIFICATES_DIR: directory,
        FIXPOINT_CRASH_POINT: crashPoint,
        FIXPOINT_LOG_LEVEL: 'error',
      }),
      stdio: 'ignore',
    });
    children.push(child);
    await eventually(async () => {
      const answer = await fetch(`http://127.0.0.1:${ports.metrics}/readyz`);
      assert.equal(answer.status, 200);
      await answer.text();
    });
    return child;
  };
  const submit = (key: string, task: unknown) =>
    fetch(`http://127.0.0.1:${ports.http}/v1/tasks`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
      body: JSON.stringify(task),
    });

  it('after it kept a task: the repeated submit meets the task, and the job is sent once', async () => {
    const marker = join(directory, 'after-submit.died');
    const child = await start(`after-submit@${marker}`);
    const task = host.task();

    await assert.rejects(submit('key-after-submit', task));
    if (child.signalCode === null) await once(child, 'exit');
    assert.equal(child.signalCode, 'SIGKILL');
    assert.ok(existsSync(marker));
    const second = await start('');
    const agent = await FakeAgent.connect(ports.agents, host.agent(1));
    const answer = await submit('key-after-submit', task);

    assert.equal(answer.status, 200);
    const { jobId } = await agent.heard('dispatch');
    agent.result(jobId);
    await agent.kept();
    assert.equal(agent.all('dispatch').length, 1);
    await agent.cut();
    second.kill('SIGTERM');
    assert.deepEqual(await once(second, 'exit'), [0, null]);
  });

  it('before a callback: the next one makes it', async () => {
    const marker = join(directory, 'before-callback.died');
    const receiver = await CallbackReceiver.start(204);
    const child = await start(`before-callback@${marker}`);
    const agent = await FakeAgent.connect(ports.agents, host.agent(1));
    const callback = { url: receiver.url, reference: 'remediation:x' };
    await submit('key-before-callback', host.task({ callback }));
    const { jobId } = await agent.heard('dispatch');

    agent.result(jobId);
    if (child.signalCode === null) await once(child, 'exit');
    assert.equal(receiver.received.length, 0);
    const second = await start('');

    const { rawBody } = await receiver.got(1);
    assert.match(rawBody.toString(), /"letters":"s"/);
    await eventually(async () => assert.equal(await host.redis.xlen('fx:outbox:callbacks'), 0));
    second.kill('SIGTERM');
    await once(second, 'exit');
    await receiver.stop();
  });

  it('without its certificates it says what is missing and ends', async () => {
    const empty = join(directory, 'empty');
    await writeFile(empty, '');
    const child = spawn(process.execPath, [main], {
      env: {
        FIXPOINT_CERTIFICATES_DIR: empty,
        FIXPOINT_CALLBACK_SECRET: callbackSecret,
        REDIS_URL: host.redisServer.url,
      },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(child);

    const text = (await child.stdout.toArray()).join('');

    if (child.exitCode === null) await once(child, 'exit');
    assert.equal(child.exitCode, 2);
    assert.match(text, /ca\.crt, gateway\.crt, gateway\.key/);
    assert.match(text, /FIXPOINT_CERTIFICATES_DIR/);
  });
});
