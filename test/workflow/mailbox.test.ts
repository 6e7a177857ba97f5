import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  type AlertRef,
  type Episode,
  type MailboxSettings,
  signalNames,
  taskQueues,
  workflowTypes,
} from '../../contracts/temporal.ts';
import { anAlert, aResolved, someSettings } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { eventsOf, timersOf } from '../support/history.ts';
import { timeSkipping, withWorkers } from '../support/workflow-environment.ts';

type Started = { remediationId: string; episodes: readonly Episode[]; atMs: number };

describe('mailbox', () => {
  let environment: TestWorkflowEnvironment;
  let sequence = 0;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  /** A mailbox with its first alerts; `onStart` is told of each repair, and answers for it. */
  async function mailbox(of: {
    alerts?: readonly AlertRef[];
    settings?: Partial<MailboxSettings>;
    onStart?: (started: Started, handle: WorkflowHandle) => Promise<void>;
    /** Only where the history is about something else than an episode. */
    eventsMax?: number;
    /** What the policy says when a repair starts; null if it is gone. Else as at the beginning. */
    settingsAtStart?: MailboxSettings | null;
    during?: (
      handle: WorkflowHandle,
      started: readonly Started[],
      told: readonly unknown[],
    ) => Promise<void>;
  }) {
    sequence += 1;
    const workflowId = `mailbox:restart-web:test-${sequence}`;
    const settings = someSettings(of.settings);
    const started: Started[] = [];
    const told: { remediationId: string; resolved: readonly string[] }[] = [];
    const handle = environment.client.workflow.getHandle(workflowId);
    const activities = {
      startRemediation: async (input: { remediationId: string; episodes: readonly Episode[] }) => {
        const atMs = await environment.currentTimeMs();
        const start = { remediationId: input.remediationId, episodes: input.episodes, atMs };
        if (!started.some((known) => known.remediationId === input.remediationId))
          started.push(start);
        await of.onStart?.(start, handle);
        if (of.settingsAtStart === null) return { kind: 'policy_gone' as const };
        return {
          kind: 'started' as const,
          settings: of.settingsAtStart ?? settings,
          episodes: input.episodes.map(({ id }) => id),
        };
      },
      tellRemediation: async (input: { remediationId: string; resolved: readonly string[] }) => {
        told.push(input);
      },
    };
    return withWorkers(environment, activities, async () => {
      const startMs = await environment.currentTimeMs();
      const first = await environment.client.workflow.signalWithStart(workflowTypes.mailbox, {
        workflowId,
        taskQueue: taskQueues.workflows,
        args: [{ policy: 'restart-web', groupId: 'web~1', group: [], settings }],
        signal: signalNames.alerts,
        signalArgs: [{ alerts: of.alerts ?? [anAlert({ receivedAtMs: startMs })] }],
      });
      await of.during?.(first, started, told);
      await first.result();
      const history = await first.fetchHistory();
      const events = eventsOf(history);
      // The bar of design 8, for a mailbox with as many repairs as this one had.
      const eventsMax = of.eventsMax ?? 25 * Math.max(1, started.length);
      assert.ok(events.length <= eventsMax, `${events.length} events`);
      return {
        started,
        told,
        startMs,
        endMs: await environment.currentTimeMs(),
        timers: timersOf(history).map((ms) => Math.round(ms / 1_000)),
      };
    });
  }

  const ends = async ({ remediationId }: Started, handle: WorkflowHandle) => {
    await handle.signal(signalNames.remediationEnded, { remediationId, state: 'verified' });
  };
  const send = (handle: WorkflowHandle, alerts: readonly AlertRef[]) =>
    handle.signal(signalNames.alerts, { alerts });

  it('one firing is repaired once after the group wait, then the mailbox lingers and closes within 25 events', async () => {
    const { started, timers, startMs, endMs } = await mailbox({
      settings: { cooldownMs: 60_000, maxRuns: { count: 3, windowMs: 60_000 } },
      onStart: ends,
    });

    assert.equal(started.length, 1);
    assert.deepEqual(started[0]?.episodes.length, 1);
    assert.deepEqual(timers, [5, 900]);
    assert.ok(endMs - startMs >= 5_000 + 900_000 - 2_000, `${endMs - startMs} ms`);
  });

  it('lingers as long as maxRuns must be remembered', async () => {
    const { startMs, endMs, timers } = await mailbox({ onStart: ends });

    assert.ok(endMs - startMs >= 3_600_000, `${endMs - startMs} ms`);
    assert.deepEqual(timers, [5, 3_600]);
  });

  it('resolved within the group wait: nothing starts', async () => {
    const { started } = await mailbox({
      during: (handle) => send(handle, [aResolved({ receivedAtMs: Date.now() })]),
    });

    assert.equal(started.length, 0);
  });

  it('an older firing after resolved starts nothing', async () => {
    const now = await environment.currentTimeMs();
    const { started } = await mailbox({
      alerts: [aResolved({ receivedAtMs: now }), anAlert({ receivedAtMs: now + 1 })],
    });

    assert.equal(started.length, 0);
  });

  it('a firing whose startsAt moved backwards joins the open episode', async () => {
    const now = await environment.currentTimeMs();
    const { started } = await mailbox({
      alerts: [
        anAlert({ receivedAtMs: now }),
        anAlert({ receivedAtMs: now, startsAt: '2026-01-01T00:00:01Z' }),
      ],
      onStart: ends,
    });

    assert.equal(started.length, 1);
    assert.equal(started[0]?.episodes.length, 1);
  });

  it('a firing that comes after the repair ended is repaired again, when the cooldown is over', async () => {
    const { started, timers } = await mailbox({
      settings: { waitMs: 0 },
      onStart: async (start, handle) => {
        await ends(start, handle);
        if (start.remediationId.endsWith('-1')) {
          // Taken in a while after the repair ended, by the api's clock.
          await send(handle, [anAlert({ receivedAtMs: start.atMs + 120_000 })]);
        }
      },
    });

    assert.equal(started.length, 2);
    const [first, second] = started;
    assert.ok((second?.atMs ?? 0) - (first?.atMs ?? 0) >= 900_000 - 2_000);
    assert.deepEqual(timers, [900, 3_600]);
  });

  it('a repeat of a delivery from before the repair ended is no reason for another', async () => {
    const { started } = await mailbox({
      settings: { waitMs: 0 },
      onStart: async (start, handle) => {
        await ends(start, handle);
        await send(handle, [anAlert({ receivedAtMs: start.atMs - 1_000 })]);
      },
    });

    assert.equal(started.length, 1);
  });

  it('maxRuns stops an alert that keeps firing after every repair', async () => {
    const { started, timers } = await mailbox({
      settings: { waitMs: 0, cooldownMs: 60_000, maxRuns: { count: 2, windowMs: 3_600_000 } },
      onStart: async (start, handle) => {
        await ends(start, handle);
        await send(handle, [anAlert({ receivedAtMs: start.atMs + 30_000 })]);
      },
    });

    assert.equal(started.length, 2);
    assert.deepEqual(timers, [60, 60, 3_540]);
  });

  it('a resolve during the repair reaches it', async () => {
    let release: () => void = () => {};
    const running = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { told, started } = await mailbox({
      settings: { waitMs: 0 },
      onStart: async () => release(),
      during: async (handle, starts, resolves) => {
        await running;
        await send(handle, [aResolved({ receivedAtMs: Date.now() })]);
        await eventually(() => assert.equal(resolves.length, 1));
        const [start] = starts;
        if (start !== undefined) await ends(start, handle);
      },
    });

    assert.deepEqual(
      told.map(({ resolved }) => resolved),
      [started[0]?.episodes.map(({ id }) => id)],
    );
  });

  it('a policy that changed meanwhile holds from the repair on', async () => {
    const { started } = await mailbox({
      settings: { waitMs: 0, cooldownMs: 3_600_000 },
      settingsAtStart: someSettings({ waitMs: 0, cooldownMs: 60_000 }),
      onStart: async (start, handle) => {
        await ends(start, handle);
        if (start.remediationId.endsWith('-1')) {
          await send(handle, [anAlert({ receivedAtMs: start.atMs + 30_000 })]);
        }
      },
    });

    assert.equal(started.length, 2);
    assert.ok((started[1]?.atMs ?? 0) - (started[0]?.atMs ?? 0) < 600_000);
  });

  it('a policy that is gone starts nothing, and the mailbox closes in the end', async () => {
    const { started } = await mailbox({ settings: { waitMs: 0 }, settingsAtStart: null });

    // Tried again within maxRuns, because a policy may come back with the next worker.
    assert.equal(started.length, 3);
  });

  it('a late entry opens nothing by itself', async () => {
    const now = await environment.currentTimeMs();
    const { started } = await mailbox({ alerts: [anAlert({ receivedAtMs: now, late: true })] });

    assert.equal(started.length, 0);
  });

  it('continues as new with everything it knows', async () => {
    const now = await environment.currentTimeMs();
    const { started } = await mailbox({
      eventsMax: 40,
      settings: { signalsMax: 2, waitMs: 60_000 },
      alerts: [anAlert({ receivedAtMs: now })],
      onStart: ends,
      during: async (handle) => {
        for (let at = 0; at < 6; at++) {
          await send(handle, [anAlert({ fingerprint: `${at}`.repeat(16), receivedAtMs: now })]);
        }
      },
    });

    assert.equal(started.length, 1);
    assert.equal(started[0]?.episodes.length, 7);
  });
});
