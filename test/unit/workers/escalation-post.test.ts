import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { systemClock } from '../../../platform/clock.ts';
import { escalationPost, messageIdOf } from '../../../workers/escalation-post.ts';
import { CallbackReceiver } from '../../support/callback-receiver.ts';

const secret = `whsec_${Buffer.from('an escalation secret of tests').toString('base64')}`;
const id = 'remediation:restart-web:web~0:1-1';

describe('posting an escalation', () => {
  const post = async (status: number | 'silent') => {
    const receiver = await CallbackReceiver.start(status);
    const send = escalationPost({ secret, clock: systemClock });
    const posted = await send({ url: new URL(receiver.url), id, body: '{"type":"x"}' });
    await receiver.stop();
    return { posted, received: receiver.received };
  };

  it('the public library of Standard Webhooks takes its signature, and not that of another body', async () => {
    const { posted, received } = await post(204);

    const [message] = received;
    assert.deepEqual(posted, { kind: 'taken' });
    assert.ok(message);
    const headers = message.headers as Record<string, string>; // Each of ours came once.
    const webhook = new Webhook(secret);
    assert.deepEqual(webhook.verify(message.rawBody, headers), { type: 'x' });
    assert.throws(() => webhook.verify('{"type":"y"}', headers));
    assert.equal(headers['webhook-id'], messageIdOf(id));
    assert.match(messageIdOf(id), /^esc_[a-z2-7]{26}$/);
  });

  it('what a receiver answers is told, and a redirect is not followed', async () => {
    const [failed, gone, moved] = [await post(503), await post(410), await post(302)];

    assert.deepEqual(failed.posted, { kind: 'failed', why: 'status 503' });
    assert.deepEqual(gone.posted, { kind: 'gone' });
    assert.deepEqual(moved.posted, { kind: 'failed', why: 'status 302' });
    assert.equal(moved.received.length, 1);
  });

  it('a receiver that is not there is no failure of ours', async () => {
    const send = escalationPost({ secret, clock: systemClock });

    // Port 1 of the loopback is nobody's.
    const posted = await send({ url: new URL('http://127.0.0.1:1/'), id, body: '{}' });

    assert.deepEqual(posted, { kind: 'failed', why: 'not reachable' });
  });
});
