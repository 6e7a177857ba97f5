import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { operate, scrapeSettled } from '../support/alertmanager-posts.ts';
import { eventually } from '../support/eventually.ts';
import { mailboxesOf } from '../support/mailbox-history.ts';
import { aPolicyText } from '../support/policy-set.ts';
import { entriesOf, postSteadily, startStormRig } from '../support/storm-rig.ts';

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  workerHeartbeatInterval: null,
  telemetryOptions: { logging: { filter: 'OFF' } },
});

const count = 10_000;
const hosts = Array.from({ length: count }, (_, at) => `web${at}`);
const from = 'targets: { from: { label: instance, strip: port, by: hostname } }';
const matching = (service: string) =>
  `match: { source: alertmanager, matchers: ['service="${service}"'] }`;

describe('ten thousand hosts that alert in ten seconds', () => {
  let rig: Awaited<ReturnType<typeof startStormRig>>;
  before(async () => {
    rig = await startStormRig({
      policies: [
        aPolicyText('each', matching('each'), 'group: { by: [instance], wait: 0s }', from),
        aPolicyText(
          'together',
          matching('together'),
          'group: { by: [alertname] }',
          from,
          'guards: { massHosts: off }',
        ),
      ],
      hosts: [],
      dispatchers: 2,
    });
  });
  after(() => rig?.stop());

  it('in one group are at most 60 signals to its mailbox, and all are kept', async () => {
    const entries = entriesOf('together', hosts);
    await postSteadily(rig.url, { entries, perBody: 100, withinMs: 10_000 });

    const { received, fates } = await scrapeSettled(rig.url, 120_000);

    assert.deepEqual([received, fates], [count, { handed: count }]);
    const mailbox = await eventually(async () => {
      const [found] = await mailboxesOf(rig.client, 'mailbox:together:');
      assert.equal(found?.alerts.length, count);
      return found;
    });
    assert.ok(mailbox.signals.length <= 60, `${mailbox.signals.length} signals`);
    await rig.client.workflow.getHandle(mailbox.workflowId).terminate('seen');
  });

  it('in a group each are held within 2 s, by one remediation, with at most 50 workflows', async () => {
    const query = `FixpointPolicy = "each"`;
    const before = await scrapeSettled(rig.url);
    await rig.working(async () => {
      const entries = entriesOf('each', hosts);
      const answeredMs = await postSteadily(rig.url, { entries, perBody: 10, withinMs: 10_000 });

      const { received, fates } = await scrapeSettled(rig.url, 60_000);

      assert.equal(received - before.received, count);
      const held = fates['held(mass)'] ?? 0;
      const handed = (fates['handed'] ?? 0) - (before.fates['handed'] ?? 0);
      assert.equal(held + handed, count);
      assert.ok(handed <= 20, `${handed} handed`);
      const told = await eventually(async () => {
        const found = [];
        for await (const run of rig.client.workflow.list({ query })) found.push(run);
        const masses = found.filter(({ workflowId }) => workflowId.includes(':mass~'));
        assert.equal(masses.length, 1);
        assert.equal(masses[0]?.status.name, 'COMPLETED');
        assert.ok(found.length <= 50, `${found.length} workflows`);
        return masses[0];
      });
      // The third body brought the 21st host.
      const lateMs =
        (told?.closeTime?.getTime() ?? Number.POSITIVE_INFINITY) - (answeredMs[2] ?? 0);
      assert.ok(lateMs <= 2_000, `${lateMs} ms after the 21st host`);
      await heldIsSaid(told?.workflowId ?? '');
    });
  });

  async function heldIsSaid(remediationId: string): Promise<void> {
    const [result] = rig.loop.ended.filter((ended) => ended.remediationId === remediationId);
    assert.equal(result?.state, 'held');
    assert.match(
      result.reason ?? '',
      /^mass: \d+ hosts of this policy alert within 1m, 20 may \(guards\.massHosts: by default 10% of 0 .*raise/,
    );
    const answer = await operate(rig.url, '/v1/alerts?limit=1');
    const { items } = (await answer.json()) as { items: { outcomes: { detail?: string }[] }[] };
    assert.ok(items[0]?.outcomes[0]?.detail?.endsWith(`told by ${remediationId}`));
  }
});
