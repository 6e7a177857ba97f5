import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadAgentConfig } from '../../../agent/config.ts';

let folder: string;
const gateways = 'wss://127.0.0.1:8451, wss://gateway-2:8451';

describe('the agent’s configuration', () => {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'fixpoint-agent-config-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('takes gateways, folder and host-owned environment', () => {
    const file = join(folder, 'agent.yaml');
    writeFileSync(file, 'jobEnvironment:\n  SERVICE: web\nrunAs: { allow: [web] }\n');

    const config = loadAgentConfig({
      FIXPOINT_AGENT_GATEWAYS: gateways,
      FIXPOINT_AGENT_STATE_DIR: '/state',
      FIXPOINT_AGENT_CONFIG: file,
    });

    assert.deepEqual(config, {
      gateways: ['wss://127.0.0.1:8451', 'wss://gateway-2:8451'],
      stateDirectory: '/state',
      tokenFile: undefined,
      logLevel: 'info',
      jobEnvironment: { SERVICE: 'web' },
      metricsListen: undefined,
      runAsAllow: ['web'],
      crashPoint: undefined,
    });
  });

  it('names every flaw at once', () => {
    const file = join(folder, 'wrong.yaml');
    writeFileSync(file, 'jobEnvironment: { A-B: 1 }\nallow: everything\n');

    assert.throws(
      () =>
        loadAgentConfig({
          FIXPOINT_AGENT_GATEWAYS: 'http://gateway:1',
          FIXPOINT_LOG_LEVEL: 'loud',
          FIXPOINT_AGENT_CONFIG: file,
        }),
      /FIXPOINT_AGENT_GATEWAYS.*FIXPOINT_LOG_LEVEL.*jobEnvironment.*allow/s,
    );
  });

  it('tells metrics to its own host alone, and nowhere unless it is told to', () => {
    const file = join(folder, 'metrics.yaml');
    writeFileSync(file, 'metricsListen: 127.0.0.1:8470\n');
    const listen = (over: Record<string, string>) =>
      loadAgentConfig({ FIXPOINT_AGENT_GATEWAYS: gateways, ...over }).metricsListen;

    assert.equal(listen({}), undefined);
    assert.deepEqual(listen({ FIXPOINT_AGENT_CONFIG: file }), { host: '127.0.0.1', port: 8470 });
    assert.deepEqual(listen({ FIXPOINT_AGENT_CONFIG: file, FIXPOINT_METRICS_LISTEN: '[::1]:0' }), {
      host: '::1',
      port: 0,
    });
    for (const wrong of ['0.0.0.0:8470', '8470', '127.0.0.1:70000', 'web1:8470']) {
      assert.throws(() => listen({ FIXPOINT_METRICS_LISTEN: wrong }), /FIXPOINT_METRICS_LISTEN/);
    }
  });

  it('takes a crash point on one host only', () => {
    const here = {
      FIXPOINT_AGENT_GATEWAYS: 'wss://127.0.0.1:8451',
      FIXPOINT_CRASH_POINT: '/crash',
    };
    const state = { FIXPOINT_AGENT_STATE_DIR: '/tmp/agent' };

    assert.equal(loadAgentConfig({ ...here, ...state }).crashPoint, '/crash');
    for (const production of [here, { ...here, ...state, FIXPOINT_AGENT_GATEWAYS: gateways }]) {
      assert.throws(() => loadAgentConfig(production), /FIXPOINT_CRASH_POINT .*production/);
    }
  });

  it('does not run without a gateway or with a file that is not there', () => {
    assert.throws(() => loadAgentConfig({}), /FIXPOINT_AGENT_GATEWAYS/);
    assert.throws(
      () =>
        loadAgentConfig({
          FIXPOINT_AGENT_GATEWAYS: gateways,
          FIXPOINT_AGENT_CONFIG: join(folder, 'missing.yaml'),
        }),
      /is not there/,
    );
  });
});
