import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { decodeAgentToken, encodeAgentToken } from '../../../contracts/enrolment.ts';
import { Trust } from '../../../platform/trust-bundle.ts';
import { runInProcess } from '../../support/cli-run.ts';
import { FakeApi } from '../../support/fake-api.ts';
import { aSigningKey, aTrust, testKey } from '../../support/signing.ts';

describe('fixpoint agent token create', () => {
  let gateway: FakeApi;
  let state: string;
  before(async () => {
    gateway = await FakeApi.start();
  });
  after(() => gateway.stop());
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'fixpoint-agent-token-'));
    mkdirSync(join(state, 'secrets', 'ca'), { recursive: true });
  });
  afterEach(() => rmSync(state, { recursive: true }));

  const [other, mine] = [aSigningKey(), aSigningKey()];
  /** What a gateway hands out whose bundle this is. */
  const rootOf = async (of: Parameters<typeof aTrust>[0]) =>
    Trust.read(JSON.stringify(await aTrust(of))).root;
  const gatewayTrusts = async (of: Parameters<typeof aTrust>[0]) => {
    const token = encodeAgentToken({
      ...{ gateways: ['wss://127.0.0.1:8451'], authorities: ['0'.repeat(64)] },
      ...{ secret: 's'.repeat(32), trust: await rootOf(of) },
    });
    gateway.on('POST /v1/agent-tokens', { status: 201, body: { token, expiresAt: 1, uses: 1 } });
  };
  const writeTrust = async (of: Parameters<typeof aTrust>[0] = {}) => {
    const file = join(state, 'secrets', 'ca', 'trust.json');
    writeFileSync(file, JSON.stringify(await aTrust(of)));
    return file;
  };
  const create = (args: readonly string[] = [], environment: Record<string, string> = {}) =>
    runInProcess(['agent', 'token', 'create', ...args], {
      environment: { FIXPOINT_GATEWAY_URL: gateway.url, FIXPOINT_TOKEN: 't', ...environment },
    });

  it('puts the keys and the serial of the operator’s own bundle into the token', async () => {
    await gatewayTrusts({ serial: 2, keys: [testKey, mine] });
    const file = await writeTrust({ serial: 5 });

    const { status, out, err } = await create(['--trust', file]);

    assert.equal(status, 0, err);
    assert.deepEqual(decodeAgentToken(out.trim())?.trust, await rootOf({ serial: 5 }));
    assert.match(err, new RegExp(`signed by ${testKey.keyId}: as in .*trust\\.json`));
  });

  it('shows no token of a gateway whose keys are none of the operator’s', async () => {
    await gatewayTrusts({ serial: 9, keys: [mine] });
    const file = await writeTrust();
    const byFolder = { FIXPOINT_CERTIFICATES_DIR: join(state, 'secrets', 'ca') };

    for (const answer of [await create(['--trust', file]), await create([], byFolder)]) {
      assert.equal(answer.status, 2);
      assert.equal(answer.out, '');
      assert.match(answer.err, new RegExp(`the gateway trusts ${mine.keyId}, and .* other keys`));
      assert.match(answer.err, /copy the newest trust\.json/);
    }
  });

  it('says whose word it is where the operator has no bundle', async () => {
    await gatewayTrusts({ serial: 1, keys: [testKey, other] });

    const { status, out, err } = await create();

    assert.equal(status, 0, err);
    assert.equal(decodeAgentToken(out.trim())?.trust.serial, 1);
    assert.match(err, new RegExp(`${testKey.keyId} or ${other.keyId}: so says the gateway`));
  });

  it('takes the bundle of a state directory only for the gateway that runs there', async () => {
    await gatewayTrusts({ keys: [mine] });
    await writeTrust();
    const runs = (url: string) => {
      const run = {
        ...{ pid: 1, pids: {}, token: 't'.repeat(16), api: { url }, gateway: { url }, metrics: {} },
        ...{ agentLink: { url: 'wss://127.0.0.1:1' }, redis: { url: 'redis://127.0.0.1:1' } },
        temporal: { address: '127.0.0.1:1', ui: 'http://127.0.0.1:1' },
      };
      writeFileSync(join(state, 'run.json'), JSON.stringify(run));
    };

    runs(gateway.url);
    const ours = await create([], { FIXPOINT_STATE_DIR: state });
    runs('http://127.0.0.1:1');
    const elsewhere = await create([], { FIXPOINT_STATE_DIR: state });

    assert.deepEqual([ours.status, ours.out], [2, '']);
    assert.match(ours.err, /secrets\/ca\/trust\.json other keys/);
    assert.equal(elsewhere.status, 0, elsewhere.err);
    assert.match(elsewhere.err, /so says the gateway/);
  });

  it('asks for no token with a bundle that is not there, or is none', async () => {
    await gatewayTrusts({});
    gateway.asked.length = 0;
    const file = join(state, 'flawed.json');
    writeFileSync(file, '{}');

    const gone = await create(['--trust', join(state, 'gone.json')]);
    const flawed = await create(['--trust', file]);

    assert.deepEqual([gone.status, flawed.status], [6, 2]);
    assert.match(gone.err, /gone\.json is not there/);
    assert.match(flawed.err, /is no trust bundle/);
    assert.deepEqual(gateway.asked, []);
  });

  it('refuses a token that names no signing keys', async () => {
    const body = { token: 'fixpoint-agent.e30', expiresAt: 1, uses: 1 };
    gateway.on('POST /v1/agent-tokens', { status: 201, body });

    const { status, out, err } = await create();

    assert.deepEqual([status, out], [2, '']);
    assert.match(err, /names no signing keys/);
  });
});
