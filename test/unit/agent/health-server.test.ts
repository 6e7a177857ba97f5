import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AgentHealth } from '../../../agent/agent-metrics.ts';
import { serveHealth } from '../../../agent/health-server.ts';

const well: AgentHealth = {
  ...{ isConnected: true, hasLease: true, isStopped: false, jobsRunning: 0, jobsEnded: new Map() },
  ...{ clockAheadMs: 0, certificateLeftMs: 0 },
};

describe('the health of an agent', () => {
  it('ready is a session, a lease and no stop; live is the process', async () => {
    let health = well;
    const server = await serveHealth({ host: '127.0.0.1', port: 0, health: () => health });
    const get = async (path: string) => {
      const answer = await fetch(`http://127.0.0.1:${server.port}${path}`);
      return `${answer.status} ${await answer.text()}`;
    };

    const states = [well, { ...well, isConnected: false }, { ...well, hasLease: false }];
    const answers: string[] = [];
    for (const state of [...states, { ...well, isStopped: true }]) {
      health = state;
      assert.equal(await get('/livez'), '200 ok\n');
      answers.push((await get('/readyz')).slice(0, 3));
    }

    assert.deepEqual(answers, ['200', '503', '503', '503']);
    assert.match(await get('/metrics'), /^200 # HELP fixpoint_agent_connected/);
    assert.equal(await get('/secrets'), '404 not found\n');
    await server.close();
  });
});
