import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { HttpProofInput } from '../../contracts/activities.ts';
import {
  type EpisodeChangedSignal,
  queryNames,
  type RemediationProgress,
  signalNames,
} from '../../contracts/temporal.ts';
import { anEpisode, aRemediation, aRunbook, aScript } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { aRollout, guardedRepair, quickGateway } from '../support/guarded-repair.ts';
import { repairOn } from '../support/scripted-gateway.ts';
import { timeSkipping } from '../support/workflow-environment.ts';

const script = { script: aScript(), timeoutMs: 10_000 };
const soaking = aRunbook({ verify: { probe: script, withinMs: 60_000, soakMs: 120_000 } });
const { id: episode } = anEpisode();

const tell = (handle: WorkflowHandle, signal: EpisodeChangedSignal) =>
  handle.signal(signalNames.episodeChanged, signal);
const until = (handle: WorkflowHandle, check: (progress: RemediationProgress) => void) =>
  eventually(async () => check(await handle.query<RemediationProgress>(queryNames.progress)));

/** The timer of the soak has begun: what comes back from now on belongs to it. */
const untilSoaking = (handle: WorkflowHandle) =>
  eventually(async () => {
    const { events } = await handle.fetchHistory();
    const started = (events ?? []).map(({ timerStartedEventAttributes }) =>
      Number(timerStartedEventAttributes?.startToFireTimeout?.seconds ?? 0),
    );
    assert.ok(started.includes(120), started.join(' '));
  });

describe('verification', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  describe('with a soak', () => {
    it('asks the probe once more after it', async () => {
      const gateway = quickGateway();

      const { result, timers, events } = await repairOn(environment, {
        gateway,
        input: { runbook: soaking },
      });

      assert.equal(result.state, 'verified');
      assert.deepEqual(timers, [120_000]);
      assert.deepEqual(
        gateway.submitted.map(({ key }) => key.split('/').slice(1).join('/')),
        ['restart/1/1', 'verify/1/1', 'verify/2/1'],
      );
      assert.ok(events.length <= 60, `${events.length} events`);
    });

    it('a host that was well and is not after the soak fails', async () => {
      const gateway = quickGateway((key) => (key.includes('/verify/2/') ? 'sf' : 'ss'));

      const { result } = await repairOn(environment, { gateway, input: { runbook: soaking } });

      assert.equal(result.state, 'failed');
      assert.equal(result.reason, 'verification: the probe fails on 1 hosts');
      assert.deepEqual(result.letters, { restart: 'ss', verify: 'sf' });
    });

    it('an alert that fires again within it fails, whatever the probe says', async () => {
      const gateway = quickGateway();

      const { result, events } = await repairOn(environment, {
        gateway,
        input: { runbook: soaking },
        during: async (handle) => {
          await untilSoaking(handle);
          await tell(handle, { resolved: [], returned: [episode] });
        },
      });

      assert.equal(result.state, 'failed');
      assert.equal(result.reason, 'verification: the alerts of 2 hosts came back within the soak');
      assert.deepEqual(result.letters, { restart: 'ss', verify: 'ff' });
      // It does not wait for what is known.
      assert.ok(events.some(({ timerCanceledEventAttributes }) => timerCanceledEventAttributes));
    });

    it('without a probe a resolved counts only if nothing fires again within it', async () => {
      const runbook = aRunbook({ verify: { probe: null, withinMs: 60_000, soakMs: 120_000 } });
      const repair = (isBack: boolean) =>
        repairOn(environment, {
          gateway: quickGateway(),
          input: { runbook },
          during: async (handle) => {
            await until(handle, ({ state }) => assert.equal(state, 'verifying'));
            await tell(handle, { resolved: [episode] });
            await untilSoaking(handle);
            if (isBack) await tell(handle, { resolved: [], returned: [episode] });
          },
        });

      const [lasting, back] = [await repair(false), await repair(true)];

      assert.equal(lasting.result.state, 'resolved');
      assert.equal(back.result.state, 'failed');
      assert.equal(back.result.reason, 'verification: an alert came back within the soak');
    });

    it('hosts are proven between batches only after it, and free for others then', async () => {
      const steps = [aRollout('1')];

      const { result, governor, timers } = await guardedRepair(environment, {
        hosts: 2,
        cap: 1,
        steps,
        input: { runbook: { ...soaking, steps } },
      });

      assert.equal(result.state, 'verified');
      assert.equal(governor.fullest.get('zone=z0'), 1);
      assert.deepEqual(timers, [120_000, 120_000]);
    });
  });

  describe('by the sender’s word', () => {
    const runbook = aRunbook({ verify: { probe: null, withinMs: 60_000 } });
    const watchdog = { source: 'alertmanager', alertname: 'Watchdog', withinMs: 300_000 };
    const policy = { ...aRemediation().policy, watchdog };
    /** When the watchdog was heard last, as seen at the `look`th look; `resolvedMs` is when all was over. */
    const repair = (
      heard: (look: number, resolvedMs: number) => number | null,
      during: (handle: WorkflowHandle) => Promise<void> = async () => {},
    ) => {
      let [looks, resolvedMs] = [0, 0];
      return repairOn(environment, {
        gateway: quickGateway(),
        input: { runbook, policy },
        activities: { watchdogHeard: async () => heard(++looks, resolvedMs) },
        during: async (handle) => {
          await until(handle, ({ state }) => assert.equal(state, 'verifying'));
          resolvedMs = await environment.currentTimeMs();
          await tell(handle, { resolved: [episode] });
          await during(handle);
        },
      });
    };

    it('a source whose watchdog is heard again after it said resolved is believed', async () => {
      const { result, events } = await repair((look, ms) => (look < 3 ? ms : ms + 90_000));

      assert.equal(result.state, 'resolved');
      // Each look costs nine.
      assert.ok(events.length <= 80, `${events.length} events`);
    });

    it('a watchdog heard shortly before, or within the lag after it, proves nothing', async () => {
      const { result } = await repair((_, ms) => ms + 40_000);

      assert.equal(result.state, 'failed');
      assert.match(
        result.reason ?? '',
        /^verification: the source alertmanager has been silent since \d{4}-.*Z: silence is not health$/,
      );
    });

    it('a source that has never sent its watchdog is not believed', async () => {
      const { result } = await repair(() => null);

      assert.equal(result.state, 'failed');
      assert.match(result.reason ?? '', /has never sent Watchdog: silence is not health$/);
    });

    it('an alert that comes back while the watchdog is awaited is waited for again', async () => {
      const { result } = await repair(
        (_, ms) => ms,
        (handle) => tell(handle, { resolved: [], returned: [episode] }),
      );

      assert.equal(result.reason, 'verification: the alert did not resolve in time');
    });
  });

  describe('by pages', () => {
    const http = { url: 'http://${host.hostname}/${labels.service}', status: 200 };
    const runbook = aRunbook({ verify: { probe: { http, timeoutMs: 2_000 }, withinMs: 60_000 } });
    const asking = (letters: (ask: number) => string) => {
      const asked: HttpProofInput[] = [];
      const probeHttp = async (input: HttpProofInput) => {
        const answer = letters(asked.push(input));
        const failures = [...answer].flatMap((letter, at) =>
          letter === 's' ? [] : [{ at, detail: 'status 503, not 200' }],
        );
        return { letters: answer, failures };
      };
      return { asked, probeHttp };
    };

    it('a repair whose hosts answer is verified without a job on any of them', async () => {
      const gateway = quickGateway();
      const { asked, probeHttp } = asking(() => 'ss');

      const { result } = await repairOn(environment, {
        gateway,
        input: { runbook },
        activities: { probeHttp },
      });

      assert.equal(result.state, 'verified');
      assert.equal(gateway.submitted.length, 1);
      assert.deepEqual(asked, [
        {
          http,
          timeoutMs: 2_000,
          hosts: [0, 1].map((at) => ({
            agentId: `a0000000000${at}`,
            labels: [['service', 'web']],
          })),
        },
      ]);
    });

    it('hosts that do not pass are asked again until the time is over; the reason says what they said', async () => {
      const { asked, probeHttp } = asking((ask) => (ask === 1 ? 'fs' : 'f'));

      const { result } = await repairOn(environment, {
        gateway: quickGateway(),
        input: { runbook },
        activities: { probeHttp },
      });

      assert.equal(result.state, 'failed');
      assert.equal(
        result.reason,
        'verification: the probe fails on 1 hosts (web0: status 503, not 200)',
      );
      assert.deepEqual(result.letters, { restart: 'ss', verify: 'fs' });
      assert.deepEqual([...new Set(asked.map(({ hosts }) => hosts.length))], [2, 1]);
    });

    it('a label that the url needs and an alert lacks is a refusal before anything runs', async () => {
      const gateway = quickGateway();
      const probe = { http: { ...http, url: 'http://${labels.nowhere}/' }, timeoutMs: 2_000 };

      const { result } = await repairOn(environment, {
        gateway,
        input: { runbook: aRunbook({ verify: { probe, withinMs: 60_000 } }) },
      });

      assert.equal(result.state, 'held');
      assert.match(result.reason ?? '', /^missing_label: no alert has label "nowhere"/);
      assert.deepEqual(gateway.submitted, []);
    });

    it('a worker that cannot ask proves nothing', async () => {
      const { result } = await repairOn(environment, {
        gateway: quickGateway(),
        input: { runbook: { ...runbook, verify: { ...runbook.verify, withinMs: 1 } } },
        activities: {
          probeHttp: async () => {
            throw new Error('no sockets left');
          },
        },
      });

      assert.equal(result.state, 'failed');
      assert.deepEqual(result.letters, { restart: 'ss', verify: 'uu' });
    });
  });
});
