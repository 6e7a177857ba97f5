import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createAuthority } from '../../agent-gateway/certificates.ts';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGateway } from '../support/fake-gateway.ts';

describe('a start lease whose link is cut', () => {
  let gateway: FakeGateway;
  let host: AgentHost;
  before(async () => {
    const authority = await createAuthority(systemClock);
    gateway = await FakeGateway.start(authority);
    host = await AgentHost.create(authority);
  });
  after(async () => {
    await host.remove();
    await gateway.stop();
  });

  it('starts none of 20 queued jobs once it has run out', async () => {
    // The link is cut one way, the worse one: jobs still come, and no ping is answered any more.
    const startLeaseMs = 1_000;
    gateway.startLeaseMs = startLeaseMs;
    await host.start(gateway.url, { leaseWaitMs: 100 });
    await gateway.connected();
    await eventually(() => assert.ok(gateway.pongs > 0));

    gateway.answer.isSilent = true;
    const cutAt = Date.now();
    for (let sent = 0; sent < 20; sent += 1) {
      gateway.dispatch(host.order(`echo ran >>"${host.evidence}"\n`));
      await systemClock.sleep(100);
    }
    gateway.drop();

    // By job: what was not told to be stored may have come again, on a link that took its place.
    const told = new Map(gateway.results.map(({ jobId, report }) => [jobId, report]));
    const reports = [...told.values()];
    const starts = reports.flatMap(({ startedAt }) => startedAt ?? []);
    const late = starts.map((at) => at - cutAt).filter((afterMs) => afterMs > startLeaseMs);
    assert.deepEqual(late, [], `started ${late} ms after the cut`);
    assert.ok(starts.length >= 1 && starts.length < 20, `${starts.length} started`);
    assert.equal(host.starts(), starts.length);
    const refused = reports.filter(({ startedAt }) => startedAt === null);
    assert.deepEqual([...new Set(refused.map(({ reason }) => reason))], ['no_lease']);
  });
});
