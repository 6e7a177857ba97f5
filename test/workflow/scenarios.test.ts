import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { FrozenPolicy } from '../../contracts/frozen.ts';
import { queryNames, type RemediationProgress, signalNames } from '../../contracts/temporal.ts';
import { anAlert, anEpisode, aRemediation, aRunbook } from '../support/builders.ts';
import { wordOn } from '../support/coming-and-going.ts';
import { eventually } from '../support/eventually.ts';
import { onHost, slowPolicies } from '../support/flap-story.ts';
import { quickGateway } from '../support/guarded-repair.ts';
import { RepairLoop } from '../support/repair-loop.ts';
import { repairOn } from '../support/scripted-gateway.ts';
import { timeSkipping, withWorkers } from '../support/workflow-environment.ts';

// Scenarios of public incidents, by their names (safety.md 2.1). Each is told twice: with its guard,
// and without, where the harm must happen; else the test would prove nothing.
describe('scenarios', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  describe('S08 short-flap-no-action', () => {
    /** An alert is repaired, and comes back for 40 s once it is over; how many repairs that makes. */
    async function repairsOfABlip(group: string, guards: string): Promise<number> {
      const policies = await slowPolicies(guards);
      const loop = new RepairLoop({ client: environment.client, policies, hosts: ['web1'] });
      const say = (n: number) => loop.alert('web', group, [wordOn(n, onHost('blip', 'web1'))]);
      await withWorkers(environment, loop.activities, async () => {
        await say(0);
        await eventually(() => assert.equal(loop.ended.length, 1));
        await say(1);
        await environment.sleep('5 min');
        await say(2);
        await environment.sleep('40 s');
        await say(3);
        await environment.sleep('5 min');
        await loop.mailbox('web', group).terminate('seen');
      });
      return loop.started.length;
    }

    it('a return that is shorter than confirmFor starts nothing', async () => {
      assert.equal(await repairsOfABlip('s08', 'confirmFor: 60s'), 1);
    });

    it('without confirmFor it does', async () => {
      assert.equal(await repairsOfABlip('s08-harm', 'confirmFor: 0s'), 2);
    });
  });

  describe('S15 silence-is-not-health', () => {
    const watchdog = { source: 'alertmanager', alertname: 'Watchdog', withinMs: 300_000 };

    /** The source says resolved because it stops sending; how the repair ends. */
    async function endOfASilentSource(guard: Pick<FrozenPolicy, 'watchdog'>): Promise<string> {
      const lastHeardMs = Number(await environment.currentTimeMs());
      const { result } = await repairOn(environment, {
        gateway: quickGateway(),
        input: {
          runbook: aRunbook({ verify: { probe: null, withinMs: 60_000 } }),
          policy: { ...aRemediation().policy, ...guard },
        },
        activities: { watchdogHeard: async () => lastHeardMs },
        during: async (handle) => {
          await eventually(async () => {
            const { state } = await handle.query<RemediationProgress>(queryNames.progress);
            assert.equal(state, 'verifying');
          });
          await handle.signal(signalNames.episodeChanged, { resolved: [anEpisode().id] });
        },
      });
      return result.state;
    }

    it('a source that is not heard any more proves no repair', async () => {
      assert.equal(await endOfASilentSource({ watchdog }), 'failed');
    });

    it('without a watchdog its last word is believed', async () => {
      assert.equal(await endOfASilentSource({}), 'resolved');
    });
  });

  /**
   * Hosts whose repairs fail, each a group of its own, so that no guard of a group sees them together.
   * `next` says whose alert comes when a repair has failed. Answers how many hosts were touched.
   */
  async function touchedByFailures(
    group: string,
    of: { readonly guards: string; readonly first: readonly number[]; readonly next: number },
  ): Promise<{ touched: number; held: number }> {
    const hosts = Array.from({ length: 12 }, (_, at) => `web${at}`);
    let raised = Math.max(...of.first);
    const say = (host: number): Promise<void> =>
      loop.alert('web', `${group}-${host}`, [anAlert(onHost(`${group}-${host}`, `web${host}`))]);
    const loop: RepairLoop = new RepairLoop({
      ...{ client: environment.client, policies: await slowPolicies(of.guards), hosts },
      outcome: () => 'f',
      nowMs: () => environment.currentTimeMs(),
      ended: async ({ state }) => {
        if (state !== 'failed' || of.next === 0) return;
        raised += of.next;
        if (raised < hosts.length) await say(raised);
      },
    });
    const held = () => loop.ended.filter(({ state }) => state === 'held').length;
    await withWorkers(environment, loop.activities, async () => {
      await loop.startControl();
      for (const host of of.first) {
        const before = loop.ended.length;
        await say(host);
        // Whoever fails has been told of before the next alert comes.
        await eventually(() => assert.ok(loop.ended.length > before));
        await environment.sleep('1 s');
      }
      await eventually(() => assert.ok(held() > 0 || loop.ended.length === hosts.length));
      await environment.sleep('5 min');
      await loop.endAll();
    });
    return { touched: loop.submitted.length, held: held() };
  }
  const breaker = 'breaker: { failures: 3, window: 1h, openFor: 30m }';

  describe('S02 self-alerting-repair', () => {
    const chain = { first: [0], next: 1 };

    it('a repair that raises the alert of the next host opens the breaker', async () => {
      const { touched, held } = await touchedByFailures('s02', { ...chain, guards: breaker });

      // One may start before it is known everywhere that the third has failed.
      assert.ok(touched <= 4, `${touched} hosts touched`);
      assert.equal(held, 1);
    });

    it('without a breaker it goes through the whole fleet', async () => {
      const { touched } = await touchedByFailures('s02-harm', { ...chain, guards: 'breaker: off' });

      assert.equal(touched, 12);
    });
  });

  describe('S03 same-error-many-hosts', () => {
    const many = { first: Array.from({ length: 12 }, (_, at) => at), next: 0 };

    it('the same failure on host after host stops further repairs, and people are told', async () => {
      const { touched, held } = await touchedByFailures('s03', { ...many, guards: breaker });

      assert.equal(touched, 3);
      assert.equal(held, 9);
    });

    it('without a breaker every host gets the repair that does not help', async () => {
      const { touched } = await touchedByFailures('s03-harm', { ...many, guards: 'breaker: off' });

      assert.equal(touched, 12);
    });
  });
});
