import assert from 'node:assert/strict';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { AlertRef, RemediationProgress } from '../../contracts/temporal.ts';
import type { PolicySet } from '../../platform/policy-files.ts';
import { anAlert } from './builders.ts';
import { wordOn } from './coming-and-going.ts';
import { eventually } from './eventually.ts';
import { eventsOf } from './history.ts';
import { aPolicyText, loadTexts } from './policy-set.ts';
import { RepairLoop } from './repair-loop.ts';
import { withWorkers } from './workflow-environment.ts';

/** Host by host, and a step that may take days. */
const slowRunbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: restart-web
steps:
  - name: restart
    script: { inline: "exit 0" }
    timeout: 5d
    rollout: { batches: 1 }
verify: { probe: { script: { inline: "exit 0" } } }
`;

/** A policy `web` with these guards, without a cooldown, over a runbook that goes host by host. */
export async function slowPolicies(
  guards: string,
  ...lines: readonly string[]
): Promise<PolicySet> {
  const files = await loadTexts({
    policies: {
      'p.yaml': aPolicyText(
        'web',
        'targets: { from: { label: instance, strip: port, by: hostname } }',
        `guards: { cooldown: 0s, maxRuns: { count: 100, window: 1h }, ${guards} }`,
        ...lines,
      ),
    },
    runbooks: { 'r.yaml': slowRunbook },
  });
  if (files.kind === 'loaded') return files.set;
  throw new Error(JSON.stringify(files.flaws));
}

/** An alert of its own on a host. */
export const onHost = (fingerprint: string, host: string): Partial<AlertRef> => ({
  fingerprint,
  labels: [['instance', `${host}:9100`]],
});

/** What Temporal UI shows of a mailbox. */
export async function detailsOf(
  environment: TestWorkflowEnvironment,
  workflowId: string,
): Promise<string> {
  const handle = environment.client.workflow.getHandle(workflowId);
  const metadata = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  return metadata.currentDetails ?? '';
}

/**
 * A repair that runs for as long as an alert of its group comes and goes every two minutes (rule R17):
 * asserts that the repair stays small and that the group says it is held.
 */
export async function flapsBesideARepair(
  environment: TestWorkflowEnvironment,
  of: { readonly hours: number; readonly isAsking?: true },
): Promise<void> {
  const asking = of.isAsking ? ['autonomy: approve', 'approval: { expires: 30d }'] : [];
  const policies = await slowPolicies('flap: { changes: 5, window: 30m }', ...asking);
  const hosts = ['web1', 'web2'];
  const loop = new RepairLoop({ client: environment.client, policies, hosts, outcome: () => null });
  const group = `flaps-${of.hours}-${asking.length}`;
  await withWorkers(environment, loop.activities, async () => {
    const flapping = onHost('flapping', 'web2');
    await loop.alert('web', group, [anAlert(onHost('steady', 'web1')), wordOn(0, flapping)]);
    await eventually(async () => {
      if (of.isAsking !== true) return assert.equal(loop.submitted.length, 1);
      const repair = environment.client.workflow.getHandle(loop.started[0]?.remediationId ?? '');
      const { state } = await repair.query<RemediationProgress>('progress');
      return assert.equal(state, 'awaiting_approval');
    });
    for (let n = 1; n <= of.hours * 30; n += 1) {
      await environment.sleep(120_000);
      await loop.alert('web', group, [wordOn(n, flapping)]);
    }

    assert.equal(loop.started.length, 1);
    assert.ok(loop.told.length <= 6, `told ${loop.told.length} times`);
    const repair = environment.client.workflow.getHandle(loop.started[0]?.remediationId ?? '');
    const events = eventsOf(await repair.fetchHistory()).length;
    assert.ok(events <= 60, `${events} events`);
    const details = await detailsOf(environment, `mailbox:web:${group}`);
    assert.match(details, /\*\*held\(flapping\)\*\*: .*guards\.flap/);
    await repair.terminate('seen');
    await loop.mailbox('web', group).terminate('seen');
  });
}
