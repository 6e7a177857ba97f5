import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createAuthority } from '../../agent-gateway/certificates.ts';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGateway } from '../support/fake-gateway.ts';

// A public incident, by its name (safety.md 2.1). It is told twice: with its guard, and without, where
// the harm must happen; else the test would prove nothing.
describe('S12 stale-plan-refused', () => {
  let gateway: FakeGateway;
  let host: AgentHost;
  before(async () => {
    const authority = await createAuthority(systemClock);
    gateway = await FakeGateway.start(authority);
    host = await AgentHost.create(authority);
    await host.start(gateway.url);
    await gateway.connected();
  });
  after(async () => {
    await host?.remove();
    await gateway?.stop();
  });

  const plan = () => join(host.root, 'plan');
  const apply = (generation: string, notAfter: number) =>
    host.order(`printf ${generation} >"${plan()}"\n`, { notAfter });
  const outcome = async (order: ReturnType<typeof apply>) => {
    const { state, reason } = await gateway.result(gateway.dispatch(order));
    return `${state} ${reason}`;
  };
  /** A worker with the first plan is held up until the second one has been applied. */
  async function afterADelay(firstMayWaitMs: number): Promise<string> {
    const first = apply('first', Date.now() + firstMayWaitMs);
    assert.equal(await outcome(apply('second', Date.now() + 60_000)), 'succeeded null');
    await eventually(() => assert.ok(Date.now() > first.job.notAfter || firstMayWaitMs > 10_000));
    return outcome(first);
  }

  it('a plan that was held up over its time does not replace the newer one', async () => {
    assert.equal(await afterADelay(500), 'expired not_after');
    assert.equal(readFileSync(plan(), 'utf8'), 'second');
  });

  it('one that may wait for an hour does', async () => {
    assert.equal(await afterADelay(3_600_000), 'succeeded null');
    assert.equal(readFileSync(plan(), 'utf8'), 'first');
  });
});
