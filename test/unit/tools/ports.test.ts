import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, it } from 'node:test';
import { localAgents, portsOf, portUses, requireFree } from '../../../tools/start/ports.ts';

describe('ports of npm start', () => {
  it('are those of the names when nothing is set', () => {
    const ports = portsOf({}, 3);

    assert.deepEqual([ports.api, ports.agentLink, ports.gateway], [8450, 8451, 8452]);
    assert.deepEqual([ports.temporal, ports.temporalUi, ports.redis], [7233, 8233, 8479]);
    assert.deepEqual(Object.values(ports.metrics), [8460, 8461, 8462, 8463, 8464]);
    assert.deepEqual(ports.demo, [8481, 8482, 8483]);
  });

  it('there are three agents, or as many as are asked for, and nonsense is an error that names it', () => {
    assert.deepEqual([localAgents({}), localAgents({ FIXPOINT_DEV_AGENTS: '8' })], [3, 8]);
    for (const given of ['1', '31', '2.5', 'many']) {
      const asked = { FIXPOINT_DEV_AGENTS: given };
      assert.throws(() => localAgents(asked), new RegExp(`FIXPOINT_DEV_AGENTS is ${given}`));
    }
  });

  it('a port that is taken is an error that names it and its variable', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    // A TCP server's address is never a string.
    const { port } = server.address() as AddressInfo;

    const uses = [{ port, what: 'the api', variable: 'FIXPOINT_API_LISTEN' }];
    await assert.rejects(requireFree(uses), (error: Error & { fix?: string }) => {
      assert.match(error.message, new RegExp(`${port} \\(the api\\)`));
      assert.match(error.fix ?? '', /FIXPOINT_API_LISTEN/);
      return true;
    });
    server.close();
  });

  it('an address beyond loopback is refused', () => {
    assert.throws(() => portsOf({ FIXPOINT_API_LISTEN: '0.0.0.0:8450' }, 3), /0\.0\.0\.0:8450/);
  });

  it('ports of outer servers are not asked for', () => {
    const names = portUses(portsOf({}, 3), { redis: true, temporal: true }).map(({ what }) => what);

    assert.equal(names.includes('Redis'), false);
    assert.equal(names.includes('Temporal'), false);
  });
});
