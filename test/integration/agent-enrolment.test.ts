import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { newKey } from '../../agent/enrolment.ts';
import { issueCertificate } from '../../agent-gateway/certificates.ts';
import { encodeAgentToken } from '../../contracts/enrolment.ts';
import { type AgentView, agentView } from '../../contracts/task.ts';
import { readAudit } from '../../platform/audit.ts';
import { createAuthority } from '../../platform/authority.ts';
import { systemClock } from '../../platform/clock.ts';
import { fingerprintOf } from '../../platform/digest.ts';
import { AgentHost } from '../support/agent-host.ts';
import { aToken, Enroller } from '../support/enrolling.ts';
import { eventually } from '../support/eventually.ts';
import { GatewayHost } from '../support/gateway-host.ts';
import { programEnvironment } from '../support/program-environment.ts';

const main = join(import.meta.dirname, '../../agent/main.ts');
const lifeMs = 3_000;

describe('an agent that enrols', () => {
  let host: GatewayHost;
  let folder: string;
  const machines: AgentHost[] = [];
  before(async () => {
    host = await GatewayHost.start({ agents: 0, clocks: { certificateLifeMs: lifeMs } });
    folder = mkdtempSync(join(tmpdir(), 'fixpoint-enrolment-'));
  });
  after(async () => {
    for (const machine of machines) await machine.remove();
    await host.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const viewOf = async (name: string): Promise<AgentView> =>
    agentView.parse((await host.call({ path: `/v1/agents/${name}` })).body);
  const isOnline = (name: string) =>
    eventually(async () => assert.equal((await viewOf(name)).state, 'online'));
  /** `node agent/main.ts` with these arguments; what it said and how it ended. */
  function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, [main, ...args], {
      env: programEnvironment(env),
      cwd: folder,
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
    }
    return new Promise<{ code: number | null; said: string }>((resolve) =>
      child.once('close', (code) => resolve({ code, said })),
    );
  }
  const tokenFile = (text: string): string => {
    const path = join(folder, 'token');
    writeFileSync(path, `${text}\n`);
    return path;
  };
  const machine = async (name: string): Promise<AgentHost> => {
    const made = await AgentHost.enrolled((await aToken(host, { name })).token);
    machines.push(made);
    return made;
  };
  const url = () => `wss://127.0.0.1:${host.agentPort}`;

  it('has key, certificate and journal of its own, for its eyes only, and knows its gateways', async () => {
    const state = join(folder, 'by-hand');
    const { text } = await aToken(host, { name: 'by-hand' });

    const first = await run(['enrol', '--token-file', tokenFile(text), '--state-dir', state]);
    const again = await run(['enrol', '--token-file', tokenFile(text), '--state-dir', state]);

    assert.equal(first.code, 0, first.said);
    assert.match(first.said, /enrolled as by-hand \([0-9a-z]{12}\)/);
    assert.equal(again.code, 2);
    assert.match(again.said, /is the state of an agent already\n.*move the folder away/);
    assert.equal(statSync(state).mode & 0o777, 0o700);
    for (const name of [
      'identity.key',
      'identity.crt',
      'journal-id',
      'ca.crt',
      'trust.json',
      'gateways',
    ]) {
      assert.equal(statSync(join(state, name)).mode & 0o777, 0o600, name);
    }
    assert.equal(readFileSync(join(state, 'gateways'), 'utf8'), `${url()}\n`);
    // The gateway takes it into its list within a second.
    const { journalId } = await eventually(() => viewOf('by-hand'));
    assert.equal(journalId, readFileSync(join(state, 'journal-id'), 'utf8'));
  });

  it('a token that names another authority is told to nobody', async () => {
    const { token } = await aToken(host, { name: 'misled' });
    const other = fingerprintOf((await createAuthority(systemClock)).certificate);
    const text = encodeAgentToken({ ...token, authorities: [other] });
    const state = join(folder, 'misled');

    const { code, said } = await run([
      'enrol',
      '--token-file',
      tokenFile(text),
      '--state-dir',
      state,
    ]);

    assert.equal(code, 2);
    assert.match(said, /is not the gateway that the token names/);
    const records = await readAudit(join(host.directory, 'audit'));
    assert.ok(
      records.every(({ kind }) => kind !== 'agent.enrolment_refused'),
      'it was never sent',
    );
  });

  it('takes no crash point from its environment beside a token of production', async () => {
    const { token } = await aToken(host);
    const gateways = ['wss://gateway.example.com:8451'];
    const text = encodeAgentToken({ ...token, gateways });
    const env = { FIXPOINT_CRASH_POINT: folder, FIXPOINT_AGENT_STATE_DIR: join(folder, 'armed') };

    const byHand = await run(['enrol', '--token-file', tokenFile(text)], env);
    const first = await run([], { ...env, FIXPOINT_AGENT_TOKEN_FILE: tokenFile(text) });

    assert.deepEqual([byHand.code, first.code], [2, 2]);
    for (const { said } of [byHand, first]) assert.match(said, /FIXPOINT_CRASH_POINT is for tests/);
  });

  it('goes on to the next gateway of its token when one can enrol nobody, and takes a refusal for final', async () => {
    const { authority } = host;
    const own = await issueCertificate({
      ...{ authority, subject: { kind: 'gateway' }, clock: systemClock },
    });
    const trust: unknown = JSON.parse(readFileSync(join(host.directory, 'trust.json'), 'utf8'));
    const asked: string[] = [];
    let refusal = { status: 503, code: 'upstream_unavailable' };
    const keyless = createServer({ cert: own.certificate, key: own.key }, (request, response) => {
      asked.push(request.url ?? '');
      const isToldAnybody = request.url === '/v1/authority';
      response.writeHead(isToldAnybody ? 200 : refusal.status, { connection: 'close' });
      const problem = { code: refusal.code, message: 'this gateway has no ca.key' };
      const told = { authorities: [authority.certificate], trust };
      response.end(JSON.stringify(isToldAnybody ? told : problem));
    });
    await once(keyless.listen(0, '127.0.0.1'), 'listening');
    const { port } = keyless.address() as AddressInfo; // A TCP server's address is one.
    const gateways = [`wss://127.0.0.1:${port}`, url()];
    try {
      const { token } = await aToken(host, { name: 'second-door' });
      machines.push(await AgentHost.enrolled({ ...token, gateways }));
      assert.deepEqual(asked, ['/v1/authority', '/v1/enrol']);
      await eventually(() => viewOf('second-door'));

      refusal = { status: 410, code: 'gone' };
      await assert.rejects(AgentHost.enrolled({ ...token, gateways }), { code: 'gone' });
    } finally {
      keyless.close();
    }
  });

  it('is enrolled at its first start by a token file, and runs on without it', async () => {
    const state = join(folder, 'first-start');
    const { text } = await aToken(host, { name: 'first-start' });
    const env = { FIXPOINT_AGENT_STATE_DIR: state, FIXPOINT_AGENT_TOKEN_FILE: tokenFile(text) };
    const child = spawn(process.execPath, [main], {
      env: programEnvironment(env),
      stdio: 'ignore',
    });
    try {
      await isOnline('first-start');
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('a key without its journal id or its journal does not start, and is not enrolled over', async () => {
    const lost = await machine('lost');
    const env = { FIXPOINT_AGENT_STATE_DIR: lost.root };
    rmSync(join(lost.root, 'journal'), { recursive: true });
    const noJournal = await run([], env);
    mkdirSync(join(lost.root, 'journal'));
    rmSync(join(lost.root, 'journal-id'));
    const noId = await run([], env);
    const { text } = await aToken(host, {});
    const over = await run(['enrol', '--token-file', tokenFile(text)], env);

    assert.deepEqual([noJournal.code, noId.code, over.code], [2, 2, 2]);
    assert.match(noJournal.said, /journal is gone/);
    assert.match(noId.said, /the journal is lost/);
  });

  it('an enrolment that was cut off before its key is on disk is made again', async () => {
    const state = join(folder, 'cut-off');
    mkdirSync(join(state, 'journal'), { recursive: true, mode: 0o700 });
    writeFileSync(join(state, 'identity.crt'), 'half');
    writeFileSync(join(state, 'journal-id'), 'half');
    const { text } = await aToken(host, { name: 'cut-off' });

    const { code, said } = await run([
      'enrol',
      '--token-file',
      tokenFile(text),
      '--state-dir',
      state,
    ]);

    assert.equal(code, 0, said);
    assert.match(readFileSync(join(state, 'identity.crt'), 'utf8'), /BEGIN CERTIFICATE/);
  });

  it('renews under load, more than once, without losing its session or a job', async () => {
    const busy = await machine('busy');
    const first = new X509Certificate(readFileSync(join(busy.root, 'identity.crt')));
    busy.spawn(url());
    await isOnline('busy');
    const { sessionId } = await viewOf('busy');
    const { agentId, journalId } = busy;
    const submit = async (key: string, content: string) => {
      const task = host.task({ slot: key, targets: [{ agentId, journalId }] });
      const { body } = await host.submitSigned(key, {
        ...task,
        action: { ...task.action, content },
      });
      return (body as { taskId: string }).taskId;
    };
    const record = `echo started >> ${busy.evidence}`;
    const long = await submit('key-renewal-long', `${record}; sleep 5; echo done`);

    const quick: string[] = [];
    await eventually(
      async () => {
        const key = `key-renewal-${quick.length}`;
        const taskId = await submit(key, record);
        quick.push(key);
        await host.letters(taskId, 's');
        if ((await host.report(long)).letters === '.') throw new Error('the long job still runs');
      },
      { withinMs: 20_000, everyMs: 100 },
    );

    assert.equal((await host.letters(long, 's')).failures.length, 0);
    assert.equal(busy.starts(), quick.length + 1);
    assert.equal((await viewOf('busy')).sessionId, sessionId, 'the link stayed');
    const now = new X509Certificate(readFileSync(join(busy.root, 'identity.crt')));
    const generation = Number(/generation\?n=(\d+)/.exec(now.subjectAltName ?? '')?.[1]);
    assert.ok(generation >= 2, `generation ${generation}`);
    assert.ok(Date.parse(first.validTo) < Date.now(), 'the first certificate has run out');

    await host.stopGateway();
    await host.startGateway();
    await isOnline('busy');
  });

  it('a renewal that was answered and not stored is asked for again with the same key', async () => {
    const cut = await machine('answered');
    const read = (name: string) => readFileSync(join(cut.root, name), 'utf8');
    const key = newKey();
    cut.write('renewal.key', key);
    const { agentId, journalId } = cut;
    const before = { agentId, journalId, ca: read('ca.crt'), certificate: read('identity.crt') };
    await new Enroller(host).renew({ ...before, key: read('identity.key') }, key);

    cut.spawn(url());

    await isOnline('answered');
    await eventually(() => {
      const names = new X509Certificate(read('identity.crt')).subjectAltName ?? '';
      assert.match(names, /generation\?n=[1-9]/);
    });
    assert.equal((await viewOf('answered')).lock, null);
  });

  it('a renewal cut off between its two files is ended at the next start', async () => {
    const cut = await machine('between');
    const read = (name: string) => readFileSync(join(cut.root, name), 'utf8');
    const key = newKey();
    const { agentId, journalId } = cut;
    const before = { agentId, journalId, ca: read('ca.crt'), certificate: read('identity.crt') };
    const renewed = await new Enroller(host).renew({ ...before, key: read('identity.key') }, key);
    cut.write('renewal.key', key);
    cut.write('identity.crt', renewed.certificate);

    const agent = await cut.start(url());

    await isOnline('between');
    assert.equal(read('identity.key'), key);
    await agent.stop();
  });

  it('a certificate that ran out is let in no more, and the agent says so', async () => {
    const late = await machine('late');
    await eventually(
      () => {
        const { validTo } = new X509Certificate(readFileSync(join(late.root, 'identity.crt')));
        assert.ok(Date.parse(validTo) < Date.now());
      },
      { withinMs: lifeMs + 2_000 },
    );
    const lines: string[] = [];
    const log = {
      debug() {},
      info() {},
      warn() {},
      child: () => log,
      error: (_: object, line: string) => void lines.push(line),
    };

    const agent = await late.start(url(), { log });

    assert.match(lines.join(), /the certificate has run out/);
    assert.equal(agent.isConnected, false);
    await agent.stop();
    assert.equal((await viewOf('late')).state, 'never_seen');
  });
});
