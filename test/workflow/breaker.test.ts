import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { anAlert } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { onHost, slowPolicies } from '../support/flap-story.ts';
import { eventsOf } from '../support/history.ts';
import { RepairLoop } from '../support/repair-loop.ts';
import { timeSkipping, withWorkers } from '../support/workflow-environment.ts';

const hosts = Array.from({ length: 10 }, (_, at) => `web${at}`);
const guards = 'breaker: { failures: 3, window: 1h, openFor: 30m }';

describe('a breaker on the outcomes of repairs', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  /** A loop in which repairs end as `letter` says now; every host is a group of its own. */
  async function story(
    name: string,
    tell: (of: {
      readonly loop: RepairLoop;
      readonly repairsEnd: (letter: 's' | 'f') => void;
      /** An alert of a host, and its repair once that has ended, with its reason. */
      readonly repair: (host: number) => Promise<string>;
    }) => Promise<void>,
  ): Promise<void> {
    let letter = 'f';
    const loop = new RepairLoop({
      ...{ client: environment.client, policies: await slowPolicies(guards), hosts },
      outcome: () => letter,
      nowMs: () => environment.currentTimeMs(),
    });
    const repair = async (host: number): Promise<string> => {
      const before = loop.ended.length;
      const labels = onHost(`${name}-${host}-${before}`, `web${host}`);
      const nowMs = await environment.currentTimeMs();
      await loop.alert('web', `${name}-${host}`, [anAlert({ ...labels, receivedAtMs: nowMs })]);
      await eventually(() => assert.ok(loop.ended.length > before));
      const { state, reason } = loop.ended.at(-1) ?? {};
      return `${state} ${reason ?? ''}`;
    };
    await withWorkers(environment, loop.activities, async () => {
      await loop.startControl();
      const repairsEnd = (next: 's' | 'f') => {
        letter = next;
      };
      await tell({ loop, repairsEnd, repair }).finally(() => loop.endAll());
    });
  }
  const isOpen = (loop: RepairLoop) => (loop.control.breakers ?? []).length === 1;

  it('three failures open it; then nothing starts, one tries alone, and its proof closes it', () =>
    story('proof', async ({ loop, repair, repairsEnd }) => {
      for (const host of [0, 1, 2]) assert.match(await repair(host), /^failed/);
      await eventually(() => assert.ok(isOpen(loop)));

      assert.match(
        await repair(3),
        /^held breaker: .*opened by fixpoint .*3 repairs failed within 1h.*nothing starts before .*breaker close web/,
      );
      await environment.sleep('31 min');
      repairsEnd('s');
      assert.match(await repair(4), /^verified/);
      assert.equal(loop.started.at(-1)?.canaryOnly, true);
      await eventually(() => assert.ok(!isOpen(loop)));
      assert.match(await repair(5), /^verified/);
      assert.equal(loop.started.at(-1)?.canaryOnly, undefined);
    }));

  it('one that tries and fails opens it anew', () =>
    story('anew', async ({ loop, repair, repairsEnd }) => {
      for (const host of [0, 1, 2]) await repair(host);
      await eventually(() => assert.ok(isOpen(loop)));
      const [first] = loop.control.breakers ?? [];
      await environment.sleep('31 min');

      assert.match(await repair(3), /^failed/);
      await eventually(() => assert.notEqual(loop.control.breakers?.[0]?.at, first?.at));
      repairsEnd('s');
      assert.match(await repair(4), /^held breaker: .*tried failed too/);
    }));

  it('a group that is refused again while it is open is told once', () =>
    story('once', async ({ loop, repair }) => {
      for (const host of [0, 1, 2]) await repair(host);
      await eventually(() => assert.ok(isOpen(loop)));
      await repair(3);
      const { length } = loop.started;
      const nowMs = await environment.currentTimeMs();
      const again = anAlert({ ...onHost('once-again', 'web3'), receivedAtMs: nowMs + 60_000 });
      await loop.alert('web', 'once-3', [again]);
      await eventually(async () => {
        const history = await loop.mailbox('web', 'once-3').fetchHistory();
        // Each start that it asked for has come back, the refused ones too.
        const answers = eventsOf(history).filter((event) => event.markerRecordedEventAttributes);
        assert.equal(answers.length, 2);
      });

      assert.equal(loop.started.length, length);
    }));

  it('closed by hand it lets everything through, opened by hand nothing', () =>
    story('hand', async ({ loop, repair, repairsEnd }) => {
      const control = await loop.startControl();
      const by = { policy: 'web', by: 'anna', reason: 'the source lies' };
      await control.executeUpdate('openBreaker', { args: [{ ...by, openForMs: 3_600_000 }] });
      await eventually(() => assert.ok(isOpen(loop)));
      assert.match(await repair(0), /^held breaker: .*opened by anna .*the source lies/);
      await control.executeUpdate('closeBreaker', { args: [by] });
      await eventually(() => assert.ok(!isOpen(loop)));
      repairsEnd('s');
      assert.match(await repair(1), /^verified/);
      await assert.rejects(
        control.executeUpdate('openBreaker', { args: [{ ...by, openForMs: '1h' }] }),
      );
    }));

  it('what it knows goes on into the next run of the control workflow', () =>
    story('next-run', async ({ loop, repair }) => {
      const control = await loop.startControl();
      for (const host of [0, 1]) await repair(host);
      const first = (await control.describe()).runId;
      for (let at = 0; at < 500; at += 10) {
        await Promise.all(
          Array.from({ length: 10 }, () =>
            control.executeUpdate('closeBreaker', {
              args: [{ policy: 'another', by: 'anna', reason: 'no matter' }],
            }),
          ),
        );
      }
      await eventually(async () => assert.notEqual((await control.describe()).runId, first));

      assert.match(await repair(2), /^failed/);
      await eventually(() => assert.ok(isOpen(loop)));
    }));
});
