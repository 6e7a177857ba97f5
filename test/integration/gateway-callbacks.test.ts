import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { type TaskReport, taskCallback } from '../../contracts/task.ts';
import { systemClock } from '../../platform/clock.ts';
import { verifyWebhook } from '../../platform/standard-webhooks.ts';
import { CallbackReceiver } from '../support/callback-receiver.ts';
import { eventually } from '../support/eventually.ts';
import { callbackSecret, GatewayHost } from '../support/gateway-host.ts';

describe('callbacks of the gateway', () => {
  let host: GatewayHost;
  const receivers: CallbackReceiver[] = [];
  before(async () => {
    host = await GatewayHost.start({ clocks: { callbackRetryMs: 3_000 } });
  });
  afterEach(async () => {
    await Promise.all(receivers.splice(0).map((receiver) => receiver.stop()));
  });
  after(() => host.stop());

  const receive = async (...statuses: (number | 'silent')[]) => {
    const receiver = await CallbackReceiver.start(...statuses);
    receivers.push(receiver);
    return receiver;
  };
  /** A task that is finished at once, because its host is not enrolled. */
  const finish = (key: string, url: string) =>
    host.submit(
      key,
      host.task({
        targets: [{ agentId: '000000000000', journalId: '0'.repeat(26) }],
        callback: { url, reference: 'remediation:p:g:1' },
      }),
    );
  const outboxIsEmpty = () =>
    eventually(async () => assert.equal(await host.redis.xlen('fx:outbox:callbacks'), 0));

  it('a finished task is reported once, signed, with its reference and report', async () => {
    const receiver = await receive(204);

    await finish('key-signed', receiver.url);

    const { headers, rawBody } = await receiver.got(1);
    const now = systemClock.now();
    const verdict = verifyWebhook({ secrets: [callbackSecret], headers, rawBody, now });
    assert.equal(verdict.kind, 'valid');
    const body = taskCallback.parse(JSON.parse(rawBody.toString()));
    assert.equal(body.reference, 'remediation:p:g:1');
    assert.equal(body.report.letters, 'n');
    await outboxIsEmpty();
    assert.equal(receiver.received.length, 1);
  });

  it('a failing receiver is tried again with the same message id, and no redirect is followed', async () => {
    const receiver = await receive(500, 302, 503, 204);

    await finish('key-retried', receiver.url);

    await receiver.got(4);
    await outboxIsEmpty();
    const ids = new Set(receiver.received.map(({ headers }) => headers['webhook-id']));
    assert.equal(ids.size, 1);
    assert.equal(receiver.received.length, 4);
  });

  it('410 ends it', async () => {
    const receiver = await receive(410);

    await finish('key-gone', receiver.url);

    await receiver.got(1);
    await outboxIsEmpty();
    assert.equal(receiver.received.length, 1);
  });

  it('what nobody takes in time becomes a dead letter and is counted', async () => {
    const receiver = await receive(500);

    await finish('key-dead', receiver.url);

    await eventually(async () => assert.equal(await host.redis.xlen('fx:outbox:dead'), 1), {
      withinMs: 20_000,
    });
    await outboxIsEmpty();
    const metrics = await (await fetch(`${host.url}/metrics`)).text();
    assert.match(metrics, /fixpoint_callback_attempts_total\{result="dead"\} 1/);
  });

  it('an address that somebody wrote into Redis hears nothing, unless the operator allows it', async () => {
    const [first, other] = [await receive(500), await receive(204)];
    const { body } = await finish('key-moved', first.url);
    const { taskId } = body as TaskReport;
    await first.got(1);

    await host.redis.hset(
      `fx:{t:${taskId}}:task`,
      'callbackUrl',
      other.url.replace('127.0.0.1', 'localhost'),
    );

    const dead = await eventually(
      async () => {
        const letters = await host.redis.xrange('fx:outbox:dead', '-', '+');
        const found = letters.find(([, fields]) => fields.includes(taskId));
        assert.ok(found);
        return found;
      },
      { withinMs: 20_000 },
    );
    assert.match(dead[1].join(' '), /localhost is not a host .* FIXPOINT_EGRESS_ALLOW/);
    assert.equal(other.received.length, 0);
  });

  it('what is no address becomes a dead letter at once', async () => {
    const receiver = await receive(500);
    const { body } = await finish('key-damaged', receiver.url);
    const { taskId } = body as TaskReport;
    await receiver.got(1);

    await host.redis.hset(`fx:{t:${taskId}}:task`, 'callbackUrl', 'damaged');

    await eventually(async () => {
      const letters = await host.redis.xrange('fx:outbox:dead', '-', '+');
      const [, fields = []] = letters.find(([, each]) => each.includes(taskId)) ?? [];
      assert.equal(fields.at(-1), 'bad_address');
    });
  });

  it('receivers that do not answer hold up nobody else', async () => {
    const [silent, quick] = [await receive('silent'), await receive(204)];
    for (let number = 0; number < 20; number += 1) await finish(`key-silent-${number}`, silent.url);
    await silent.got(4);

    await finish('key-quick', quick.url);

    await quick.got(1);
    assert.equal(silent.received.length, 4);
  });

  it('a callback that was not taken survives a restart of the gateway', async () => {
    const receiver = await receive(500, 500, 204);
    await finish('key-restart', receiver.url);
    await receiver.got(1);

    await host.stopGateway();
    await host.startGateway();

    await eventually(() => assert.ok(receiver.received.length >= 3));
  });
});
