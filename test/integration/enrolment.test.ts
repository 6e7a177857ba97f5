import 'reflect-metadata';
import assert from 'node:assert/strict';
import { webcrypto, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as x509 from '@peculiar/x509';
import { newKey } from '../../agent/enrolment.ts';
import { callGateway } from '../../agent/gateway-call.ts';
import { authorityAnswer } from '../../contracts/enrolment.ts';
import { agentView } from '../../contracts/task.ts';
import { type FixpointError, invariant } from '../../domain/errors.ts';
import { readAudit, verifyAudit } from '../../platform/audit.ts';
import { aToken, Enroller } from '../support/enrolling.ts';
import { eventually } from '../support/eventually.ts';
import { FakeAgent } from '../support/fake-agent.ts';
import { GatewayHost } from '../support/gateway-host.ts';

const parallel = 50;

describe('enrolment', () => {
  let host: GatewayHost;
  let hosts: Enroller;
  before(async () => {
    host = await GatewayHost.start({ agents: 0 });
    hosts = new Enroller(host);
  });
  after(() => host.stop());

  const codeOf = async (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'done',
      (error: FixpointError) => error.code,
    );
  const audited = (kind: string) =>
    readAudit(join(host.directory, 'audit')).then((records) =>
      records.filter((record) => record.kind === kind),
    );
  /** A request that claims to be somebody, made by a library and not by our agent. */
  async function claiming(name: string, algorithm: webcrypto.EcKeyGenParams): Promise<string> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const request = await x509.Pkcs10CertificateRequestGenerator.create(
      {
        name: `CN=${name}`,
        keys,
        signingAlgorithm: { hash: 'SHA-256', ...algorithm },
        extensions: [
          new x509.SubjectAlternativeNameExtension([
            { type: 'url', value: 'spiffe://fixpoint/agent/000000000000' },
            { type: 'dns', value: name },
          ]),
          new x509.BasicConstraintsExtension(true),
        ],
      },
      webcrypto,
    );
    return request.toString('pem');
  }
  const p256 = { name: 'ECDSA', namedCurve: 'P-256' };

  it(`of ${parallel} hosts with one token one is enrolled; the others are refused and audited`, async () => {
    const { text, token } = await aToken(host, { name: 'web1', labels: { zone: 'a' } });

    const codes = await Promise.all(
      Array.from({ length: parallel }, () => codeOf(hosts.enrol(token))),
    );

    assert.equal(codes.filter((code) => code === 'done').length, 1);
    assert.equal(codes.filter((code) => code === 'gone').length, parallel - 1);
    assert.equal((await audited('agent.token_created')).length, 1);
    assert.equal((await audited('agent.enrolled')).length, 1);
    const refused = await audited('agent.enrolment_refused');
    assert.deepEqual(
      refused.map(({ detail }) => detail['reason']),
      Array.from({ length: parallel - 1 }, () => 'gone'),
    );
    assert.equal((await verifyAudit(join(host.directory, 'audit'))).kind, 'whole');
    const kept = JSON.stringify([
      await host.redis.keys('*'),
      await readAudit(join(host.directory, 'audit')),
    ]);
    for (const secret of [text, token.secret]) assert.ok(!kept.includes(secret), 'only a digest');
  });

  it('an enrolled host is listed with name and labels of the token alone', async () => {
    const { token } = await aToken(host, { name: 'web2', labels: { zone: 'b' } });
    await hosts.enrol(token, { request: await claiming('root', p256) });

    const view = await eventually(async () =>
      agentView.parse((await host.call({ path: '/v1/agents/web2' })).body),
    );

    assert.deepEqual(view.labels, { hostname: 'web2', zone: 'b', name: 'web2' });
    assert.notEqual(view.id, '000000000000');
    const { body } = await host.call({ path: '/v1/agents' });
    assert.ok(!JSON.stringify(body).includes('root'));
  });

  it('the certificate holds what the token says, lives a day and is backdated one', async () => {
    const { token } = await aToken(host, { name: 'web3', labels: { zone: 'c' } });

    const agent = await hosts.enrol(token, { request: await claiming('root', p256) });

    const certificate = new X509Certificate(agent.certificate);
    const names = certificate.subjectAltName ?? '';
    assert.match(names, new RegExp(`URI:spiffe://fixpoint/agent/${agent.agentId}`));
    assert.match(names, /fixpoint:labels\?hostname=web3&zone=c&name=web3/);
    assert.ok(!names.includes('root') && !names.includes('000000000000'));
    assert.equal(certificate.ca, false);
    const day = 86_400_000;
    assert.ok(Math.abs(Date.parse(certificate.validTo) - Date.now() - day) < 60_000);
    assert.ok(Math.abs(Date.now() - Date.parse(certificate.validFrom) - day) < 60_000);
  });

  it('a token of several uses gives every host a name of its own', async () => {
    const { token } = await aToken(host, { uses: 3, name: 'rack', labels: { zone: 'a' } });

    const agents = [];
    for (let count = 0; count < 3; count += 1) agents.push(await hosts.enrol(token));

    assert.equal(await codeOf(hosts.enrol(token)), 'gone');
    for (const { agentId, name } of agents) assert.equal(name, `rack-${agentId.slice(0, 6)}`);
    const agent = agents[0];
    invariant(agent, 'three were enrolled');
    const link = await FakeAgent.connect(host.agentPort, agent);
    assert.ok((await link.ping()).lease);
    await link.cut();
  });

  /** Why a link is ended, at the hello or at a ping. */
  const cutOff = (link: FakeAgent) =>
    eventually(() => {
      link.say({ type: 'ping', id: 1 });
      const [bye] = link.all('bye');
      assert.ok(bye, 'it is still here');
      return bye.reason;
    });

  it('an agent that is here while another takes its name is cut off at its next ping', async () => {
    const first = await hosts.enrol((await aToken(host, { name: 'db2' })).token);
    const link = await FakeAgent.dial(host.agentPort, first);
    link.hello(first);
    await link.ping();

    await hosts.enrol((await aToken(host, { name: 'db2', replace: true })).token);

    assert.equal(await cutOff(link), 'not_enrolled');
  });

  it('a name that is taken is refused, unless the token replaces who has it', async () => {
    const first = await hosts.enrol((await aToken(host, { name: 'db1' })).token);
    const taken = await host.call({
      path: '/v1/agent-tokens',
      body: { ttlMs: 60_000, name: 'db1' },
    });
    const { token } = await aToken(host, { name: 'db1', replace: true });

    const second = await hosts.enrol(token);

    assert.equal(taken.status, 409);
    assert.notEqual(second.agentId, first.agentId);
    const link = await FakeAgent.dial(host.agentPort, first);
    link.hello(first);
    assert.equal(await cutOff(link), 'not_enrolled');
    const view = await eventually(async () =>
      agentView.parse((await host.call({ path: '/v1/agents/db1' })).body),
    );
    assert.equal(view.id, second.agentId);
  });

  it('a use is given back when the request is no good, and is good afterwards', async () => {
    const { token } = await aToken(host, { name: 'odd1' });
    const good = await claiming('x', p256);
    const forged = Buffer.from(good.replaceAll(/-----[^-]+-----|\n/g, ''), 'base64');
    const last = forged.length - 1;
    forged.writeUInt8(forged.readUInt8(last) ^ 1, last);
    const pem = (der: Buffer) =>
      `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    const p384 = await claiming('x', { name: 'ECDSA', namedCurve: 'P-384' });

    for (const request of ['rubbish', pem(forged), p384]) {
      assert.equal(await codeOf(hosts.enrol(token, { request })), 'invalid_payload');
    }
    const ed25519 = await claiming('x', { name: 'Ed25519', namedCurve: 'Ed25519' });
    assert.equal(await codeOf(hosts.enrol(token, { request: ed25519 })), 'done');
  });

  it('a journal that belongs to an agent is not taken twice', async () => {
    const first = await hosts.enrol((await aToken(host)).token);
    const { token } = await aToken(host);

    const { journalId } = first;
    assert.equal(await codeOf(hosts.enrol(token, { journalId })), 'conflict');
    const [refused] = (await audited('agent.enrolment_refused')).slice(-1);
    assert.equal(refused?.detail['reason'], 'conflict');
    assert.equal(await codeOf(hosts.enrol(token)), 'done', 'the use was given back');
  });

  it('a token that expired, or that nobody made, opens nothing', async () => {
    const { token } = await aToken(host, { ttlMs: 1_000 });
    await eventually(async () =>
      assert.equal(await host.redis.exists(await onlyKey(token.secret)), 0),
    );

    const before = (await audited('agent.enrolment_refused')).length;

    assert.equal(await codeOf(hosts.enrol(token)), 'unauthenticated');
    const invented = { ...token, secret: 'x'.repeat(32) };
    assert.equal(await codeOf(hosts.enrol(invented)), 'unauthenticated');
    assert.equal(await codeOf(hosts.enrol(invented, { request: 'rubbish' })), 'invalid_payload');
    const now = (await audited('agent.enrolment_refused')).length;
    assert.equal(now, before, 'a stranger does not fill the audit log');
  });
  const onlyKey = async (secret: string) => {
    const digest = Buffer.from(await webcrypto.subtle.digest('SHA-256', Buffer.from(secret)));
    return `fx:{enrol}:token:${digest.toString('hex')}`;
  };

  it('strangers get the authority, and neither a renewal nor a link nor a token', async () => {
    const { gateway } = hosts;
    const ca = host.authority.certificate;
    const told = await callGateway({
      ...{ gateway, path: '/v1/authority', answer: authorityAnswer, tls: { kind: 'anybody' } },
    });

    assert.deepEqual(told.authorities, [ca.trim()]);
    const renewal = { request: await claiming('x', p256) };
    assert.equal(await codeOf(hosts.post('/v1/renew', renewal)), 'forbidden');
    await assert.rejects(FakeAgent.dial(host.agentPort, { ca }), /403/);
    assert.equal(await codeOf(hosts.post('/v1/tasks', {})), 'not_found');
    assert.equal(
      await codeOf(hosts.post('/v1/enrol', { secret: 'y'.repeat(20_000) })),
      'too_large',
    );
    const answer = await host.call({
      path: '/v1/agent-tokens',
      body: { ttlMs: 1, labels: { name: 'x' } },
    });
    assert.equal(answer.status, 400);
  });

  it('who guesses tokens is slowed down, and gets no further by it', async () => {
    const { token } = await aToken(host);
    const guess = { ...token, secret: 'g'.repeat(32) };
    hosts.from = '127.0.0.1';

    const codes = await Promise.all(Array.from({ length: 80 }, () => codeOf(hosts.enrol(guess))));

    assert.ok(codes.includes('limit_exceeded'));
    assert.ok(!codes.includes('done'));
    hosts.from = undefined;
    assert.equal(await codeOf(hosts.enrol(token)), 'done', 'others are not held up');
  });

  it('a renewal has a new key and the next generation; asked again with the same key it is answered again', async () => {
    const agent = await hosts.enrol((await aToken(host)).token);
    const key = newKey();

    const lost = await hosts.renew(agent, key);
    const heard = await hosts.renew(agent, key);
    const next = await hosts.renew(heard);

    for (const [each, generation] of [
      [lost, 1],
      [heard, 1],
      [next, 2],
    ] as const) {
      const names = new X509Certificate(each.certificate).subjectAltName ?? '';
      assert.match(names, new RegExp(`generation\\?n=${generation}`));
      assert.match(names, new RegExp(`agent/${agent.agentId}`));
    }
    const link = await FakeAgent.connect(host.agentPort, next);
    assert.ok((await link.ping()).lease);
    await link.cut();
  });

  it('a copy that renews with a key of its own gets the agent locked, everywhere', async () => {
    const original = await hosts.enrol((await aToken(host, { name: 'twin' })).token);
    const copy = { ...original };
    const renewed = await hosts.renew(original);
    const link = await FakeAgent.connect(host.agentPort, renewed);

    assert.equal(await codeOf(hosts.renew(copy)), 'forbidden');

    assert.equal((await link.heard('bye')).reason, 'locked');
    assert.equal(await codeOf(hosts.renew(renewed)), 'forbidden');
    const view = await eventually(async () =>
      agentView.parse((await host.call({ path: '/v1/agents/twin' })).body),
    );
    assert.deepEqual([view.state, view.lock?.reason], ['locked', 'cloned']);
    assert.equal((await audited('agent.lock_wished')).length, 1);
    const wish = await host.redis.hget('fx:{gov}:lock-wishes', original.agentId);
    assert.match(wish ?? '', /cloned/);
  });

  it('a certificate two renewals old is a copy’s: its link is refused and the agent locked', async () => {
    const first = await hosts.enrol((await aToken(host)).token);
    const second = await hosts.renew(first);
    const third = await hosts.renew(second);
    const behind = await FakeAgent.connect(host.agentPort, second);
    await behind.cut();

    const link = await FakeAgent.dial(host.agentPort, first);
    link.hello(first);

    assert.equal((await link.heard('bye')).reason, 'locked');
    assert.equal(await codeOf(hosts.renew(third)), 'forbidden');
  });
});
