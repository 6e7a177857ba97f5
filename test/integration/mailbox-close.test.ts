import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import {
  type Episode,
  type MailboxSettings,
  signalNames,
  taskQueues,
  workflowTypes,
} from '../../contracts/temporal.ts';
import { systemClock } from '../../platform/clock.ts';
import { sha256Hex } from '../../platform/digest.ts';
import { workflowBundle } from '../../workers/workflow-bundle.ts';
import { anAlert, someSettings } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { startTemporal, type TemporalServer } from '../support/temporal-server.ts';

const alerts = 150;
/** Mailboxes side by side, so that 150 random gaps take seconds. */
const mailboxes = 10;

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: 'ERROR' } },
});

// On the real server: only it refuses a completion beside which a signal arrived (rule R15).
describe('a mailbox that closes while alerts arrive', () => {
  let server: TemporalServer;
  let connection: NativeConnection;
  let client: Client;
  before(async () => {
    server = await startTemporal();
    connection = await NativeConnection.connect({ address: server.address });
    client = new Client({ connection: await Connection.connect({ address: server.address }) });
  });
  after(async () => {
    await client?.connection.close();
    await connection?.close();
    await server?.stop();
  });

  /**
   * Sends every alert by signalWithStart with random gaps, and waits until all mailboxes have
   * closed; answers what repairs were started for, and how each run of a mailbox ended.
   */
  async function send(
    name: string,
    of: { readonly gapMaxMs: number; readonly settings: Partial<MailboxSettings> },
  ) {
    const settings = someSettings({
      waitMs: 0,
      cooldownMs: 0,
      lingerMinMs: 40,
      maxRuns: { count: 1_000, windowMs: 40 },
      ...of.settings,
    });
    const handled = new Set<string>();
    const started = new Map<string, readonly string[]>();
    const repeats: string[] = [];
    const runs = new Set<string>();
    const told: Promise<void>[] = [];
    const worker = await Worker.create({
      connection,
      taskQueue: taskQueues.workflows,
      workflowBundle: await workflowBundle(),
      activities: {
        startRemediation: async (of: {
          remediationId: string;
          mailboxId: string;
          episodes: readonly Episode[];
        }) => {
          // A refused workflow task runs this again: like the real one, it then starts nothing.
          const before = started.get(of.remediationId);
          if (before !== undefined) return { kind: 'started', settings, episodes: before };
          const episodes = of.episodes.map(({ id }) => id);
          started.set(of.remediationId, episodes);
          for (const { fingerprint } of of.episodes) {
            if (handled.has(fingerprint)) repeats.push(fingerprint);
            handled.add(fingerprint);
          }
          // Not from within this activity, for whose end the mailbox's task waits: while that task closes
          // the mailbox, the server takes no signals.
          const { remediationId } = of;
          const mailbox = client.workflow.getHandle(of.mailboxId);
          const ending = { remediationId, state: 'verified' };
          told.push(mailbox.signal(signalNames.remediationEnded, ending));
          return { kind: 'started', settings, episodes };
        },
        tellRemediation: async () => {},
      },
    });
    const one = async (at: number) => {
      const handle = await client.workflow.signalWithStart(workflowTypes.mailbox, {
        workflowId: `mailbox:p:${name}-${at % mailboxes}`,
        taskQueue: taskQueues.workflows,
        args: [{ policy: 'p', groupId: `${name}-${at % mailboxes}`, group: [], settings }],
        signal: signalNames.alerts,
        signalArgs: [
          {
            alerts: [
              anAlert({
                fingerprint: sha256Hex(`${name}${at}`).slice(0, 16),
                receivedAtMs: Date.now(),
              }),
            ],
          },
        ],
      });
      runs.add(handle.signaledRunId);
    };
    await worker.runUntil(async () => {
      const lanes = Array.from({ length: mailboxes }, async (_, lane) => {
        for (let at = lane; at < alerts; at += mailboxes) {
          await one(at);
          await systemClock.sleep(Math.random() * of.gapMaxMs);
        }
      });
      await Promise.all(lanes);
      await eventually(() => assert.equal(handled.size, alerts), { withinMs: 15_000 });
      await Promise.all(told);
      // What a mailbox does with its last alerts is seen only once it is gone.
      await eventually(async () => assert.deepEqual(await open(name), []), {
        withinMs: 30_000,
        everyMs: 250,
      });
    });
    return { handled: handled.size, repeats, runs: runs.size, endings: await endings(name) };
  }

  async function executions(name: string, status: string) {
    const query = `WorkflowType = "mailbox" AND ExecutionStatus ${status}`;
    const found = [];
    for await (const execution of client.workflow.list({ query })) {
      if (execution.workflowId.startsWith(`mailbox:p:${name}-`)) found.push(execution);
    }
    return found;
  }
  const open = async (name: string) =>
    (await executions(name, '= "Running"')).map(({ workflowId }) => workflowId);
  const endings = async (name: string) => {
    const ended = await executions(name, '!= "Running"');
    const count = (status: string) => ended.filter((each) => each.status.name === status).length;
    return {
      renewed: count('CONTINUED_AS_NEW'),
      closed: count('COMPLETED'),
      other: ended.length - count('CONTINUED_AS_NEW') - count('COMPLETED'),
    };
  };

  it('loses none of 150 and acts on none twice', async () => {
    // On a busy box it takes a mailbox most of a second to come to its close.
    const { handled, repeats, runs, endings } = await send('closing', {
      gapMaxMs: 2_000,
      settings: {},
    });

    assert.equal(handled, alerts);
    assert.deepEqual(repeats, []);
    assert.ok(runs > 10, `the mailbox closed only ${runs} times`);
    assert.ok(endings.closed > 10, JSON.stringify(endings));
    assert.equal(endings.other, 0);
  });

  it('loses none and acts on none twice while it continues as new every 5 signals', async () => {
    // It stays open longer than any gap, so that what ends a run is nearly always its fifth signal.
    const { handled, repeats, endings } = await send('renewing', {
      gapMaxMs: 600,
      settings: { signalsMax: 5, lingerMinMs: 2_000 },
    });

    assert.equal(handled, alerts);
    assert.deepEqual(repeats, []);
    assert.ok(endings.renewed >= 5, JSON.stringify(endings));
    assert.equal(endings.other, 0);
  });
});
