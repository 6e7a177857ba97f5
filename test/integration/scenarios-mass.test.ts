import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { aBody, postOk, scrapeSettled } from '../support/alertmanager-posts.ts';
import { eventually } from '../support/eventually.ts';
import { aPolicyText } from '../support/policy-set.ts';
import { entriesOf, startStormRig } from '../support/storm-rig.ts';

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  workerHeartbeatInterval: null,
  telemetryOptions: { logging: { filter: 'OFF' } },
});

const hosts = Array.from({ length: 60 }, (_, at) => `node${at}`);
const aPolicy = (name: string, ...guards: readonly string[]) =>
  aPolicyText(
    name,
    `match: { source: alertmanager, matchers: ['service="${name}"'] }`,
    'group: { by: [instance], wait: 0s }',
    'targets: { from: { label: instance, strip: port, by: hostname } }',
    ...guards,
  );

// See test/workflow/scenarios.test.ts. This one needs what dispatchers know together.
describe('scenarios of many hosts', () => {
  let rig: Awaited<ReturnType<typeof startStormRig>>;
  before(async () => {
    rig = await startStormRig({
      policies: [aPolicy('guarded'), aPolicy('unguarded', 'guards: { massHosts: off }')],
      hosts,
    });
  });
  after(() => rig?.stop());

  describe('S10 mass-self-removal', () => {
    /** Every node says at once that it is unhealthy; hosts that were touched for it. */
    async function touched(policy: string, until: (hosts: number) => void): Promise<number> {
      const count = () =>
        rig.loop.submitted.filter(({ slot }) => slot.startsWith(`remediation:${policy}:`)).length;
      await rig.working(async () => {
        await postOk(rig.url, aBody(entriesOf(policy, hosts)));
        await scrapeSettled(rig.url);
        await eventually(() => until(count()), { withinMs: 30_000 });
      });
      return count();
    }

    it('many hosts that report unhealthy at once are held, and a person is told once', async () => {
      const told = () =>
        rig.loop.ended.filter(
          ({ state, reason }) => state === 'held' && /^mass/.test(reason ?? ''),
        );

      assert.equal(await touched('guarded', () => assert.equal(told().length, 1)), 0);
      assert.match(told()[0]?.reason ?? '', /^mass: 60 hosts of this policy .* 20 may/);
    });

    it('without massHosts every one of them is acted on', async () => {
      const all = hosts.length;
      assert.equal(await touched('unguarded', (count) => assert.ok(count >= all)), all);
    });
  });
});
