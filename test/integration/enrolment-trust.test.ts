import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { enrol } from '../../agent/enrolment.ts';
import { type AgentToken, encodeAgentToken } from '../../contracts/enrolment.ts';
import type { TrustEnvelope } from '../../contracts/trust.ts';
import type { FixpointError } from '../../domain/errors.ts';
import { systemClock } from '../../platform/clock.ts';
import { noCrashPoints } from '../../platform/crash-point.ts';
import { Trust } from '../../platform/trust-bundle.ts';
import { aToken } from '../support/enrolling.ts';
import { GatewayHost } from '../support/gateway-host.ts';
import { RelayingGateway } from '../support/relaying-gateway.ts';
import { aSigningKey, aTrust, testKey } from '../support/signing.ts';

const main = join(import.meta.dirname, '../../agent/main.ts');

describe('the first trust of a host, enrolled by a gateway', () => {
  let host: GatewayHost;
  let evil: RelayingGateway;
  let folder: string;
  before(async () => {
    host = await GatewayHost.start({ agents: 0 });
    await host.trust(await aTrust({ serial: 3 }));
    // Read again: the gateway looks at the file every second.
    await host.stopGateway();
    await host.startGateway();
    evil = await RelayingGateway.start(host);
    folder = mkdtempSync(join(tmpdir(), 'fixpoint-enrolment-trust-'));
  });
  after(async () => {
    await evil.stop();
    await host.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const mine = aSigningKey();
  const enrolBy = (gateways: readonly string[], name: string, token: AgentToken) =>
    enrol({
      token: { ...token, gateways: [...gateways] },
      stateDirectory: join(folder, name),
      ...{ crashAt: noCrashPoints, clock: systemClock },
    });
  const honest = () => `wss://127.0.0.1:${host.agentPort}`;
  const nothingIsKept = (name: string) => {
    const state = join(folder, name);
    assert.deepEqual(existsSync(state) ? readdirSync(state) : [], []);
  };
  const keysOf = (name: string) => {
    const { bundle } = Trust.read(readFileSync(join(folder, name, 'trust.json'), 'utf8'));
    return [bundle.serial, bundle.signingKeys.map(({ keyId }) => keyId)];
  };

  const swaps: Readonly<Record<string, () => Promise<TrustEnvelope | null>>> = {
    'keys of its own': () => aTrust({ serial: 9, keys: [mine] }),
    'keys of its own under the name of the true one': async () => {
      const named = { ...mine, keyId: testKey.keyId };
      return aTrust({ serial: 9, keys: [named] });
    },
    'a bundle that was true before a key was dropped': () => aTrust({ serial: 2 }),
    'the true seal on other bytes': async () => {
      const { signatures } = await aTrust({ serial: 3 });
      return { ...(await aTrust({ serial: 9, keys: [mine, testKey], by: [mine] })), signatures };
    },
    'no bundle to give': async () => null,
  };
  for (const [what, bundle] of Object.entries(swaps)) {
    it(`that has ${what} is refused, is not told the secret, and nothing is kept`, async () => {
      const { token } = await aToken(host);
      evil.bundle = await bundle();
      evil.asked.length = 0;

      const enrolled = enrolBy([evil.url], what, token);

      await assert.rejects(enrolled, ({ code, message }: FixpointError) => {
        assert.match(
          message,
          /signing keys that the token names|older than serial 3|has no trust bundle/,
        );
        return code === 'forbidden';
      });
      nothingIsKept(what);
      assert.deepEqual(evil.asked, ['GET /v1/authority']);
      // The use is not spent: an honest gateway enrols with the same token.
      await enrolBy([evil.url, honest()], what, token);
      assert.deepEqual(keysOf(what), [3, [testKey.keyId]]);
    });
  }

  it('that is refused beside one that is away leaves the host to try on, in whatever order', async () => {
    const { token } = await aToken(host);
    evil.bundle = await aTrust({ serial: 2 });
    const away = 'wss://127.0.0.1:1';

    for (const gateways of [
      [away, evil.url],
      [evil.url, away],
    ]) {
      await assert.rejects(enrolBy(gateways, 'patient', token), { code: 'upstream_unavailable' });
    }
    nothingIsKept('patient');
  });

  it('that is refused ends the command with status 2, why, and what to do', async () => {
    const { token } = await aToken(host);
    evil.bundle = await aTrust({ serial: 9, keys: [mine] });
    const state = join(folder, 'by-hand');
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, encodeAgentToken({ ...token, gateways: [evil.url] }));

    const child = spawn(
      process.execPath,
      [main, 'enrol', '--token-file', tokenFile, '--state-dir', state],
      { env: { PATH: '/usr/bin:/bin' }, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const said = (await child.stderr.toArray()).join('');
    if (child.exitCode === null) await once(child, 'exit');

    assert.equal(child.exitCode, 2, said);
    assert.match(said, /signing keys that the token names\n +hint: .*agent token create/);
    nothingIsKept('by-hand');
  });

  it('that has no bundle itself makes no token, because no host could use it', async () => {
    const file = join(host.directory, 'trust.json');
    const text = readFileSync(file, 'utf8');
    await host.stopGateway();
    rmSync(file);
    await host.startGateway();

    const { status, body } = await host.call({
      path: '/v1/agent-tokens',
      body: { ttlMs: 60_000 },
    });

    assert.equal(status, 503);
    assert.match(JSON.stringify(body), /has no trust\.json.*fixpoint setup certificates/);
    writeFileSync(file, text);
  });
});
