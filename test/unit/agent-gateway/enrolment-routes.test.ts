import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import type { Peer } from '../../../agent-gateway/enrolment.ts';
import { EnrolmentRoutes } from '../../../agent-gateway/enrolment-routes.ts';
import { GatewayMetrics } from '../../../agent-gateway/gateway-metrics.ts';
import { limits } from '../../../contracts/limits.ts';
import { FixpointError } from '../../../domain/errors.ts';
import { silentLog } from '../../../platform/log.ts';
import { Metrics } from '../../../platform/metrics.ts';
import { ManualClock } from '../../support/manual-clock.ts';

describe('what the port of agents answers beside the link', () => {
  it('strangers that use up their limit keep no agent from renewing', async () => {
    let peer: Peer | null = null;
    const routes = new EnrolmentRoutes({
      enrolment: {
        enrol: async () => {
          throw new FixpointError('unauthenticated', 'nobody enrols here');
        },
        renew: async () => ({ certificate: 'renewed' }),
      },
      certificates: {
        current: { authorities: [], own: { certificate: '', key: '' }, issuer: null },
      },
      trust: () => null,
      peerOf: () => peer,
      metrics: new GatewayMetrics(new Metrics()),
      clock: new ManualClock(),
      log: silentLog,
    });
    const server = createServer((incoming, response) => void routes.handle(incoming, response));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo; // A TCP server's address is one.
    const statusOf = async (method: string, path: string, localAddress: string) => {
      const call = request({ host: '127.0.0.1', port, method, path, localAddress, agent: false });
      call.end(method === 'POST' ? JSON.stringify({ request: 'a request' }) : undefined);
      const [response] = await once(call, 'response');
      response.resume();
      return response.statusCode as number; // A response has one.
    };
    try {
      for (let each = 0; each < 2 * limits.enrolmentsPerSecond; each += 1) {
        assert.equal(await statusOf('GET', '/v1/authority', `127.0.0.${2 + (each % 4)}`), 200);
      }
      assert.equal(await statusOf('GET', '/v1/authority', '127.0.0.9'), 429);

      peer = { agentId: '0123456789ab', generation: 0, certificateEndsAt: 0 };
      assert.equal(await statusOf('POST', '/v1/renew', '127.0.0.9'), 200);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
