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
import { anAlert, someSettings } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { startTemporal, type TemporalServer } from '../support/temporal-server.ts';
import { workflowBundle } from '../support/workflow-environment.ts';

const alerts = 150;
/** Mailboxes side by side, so that 150 random gaps take seconds. */
const mailboxes = 5;
const gapMaxMs = 600;

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

  /** Sends every alert by signalWithStart with random gaps; answers what repairs were started for. */
  async function send(name: string, over: Partial<MailboxSettings>) {
    const settings = someSettings({
      waitMs: 0,
      cooldownMs: 0,
      lingerMinMs: 40,
      maxRuns: { count: 1_000, windowMs: 40 },
      ...over,
    });
    const handled = new Set<string>();
    const started = new Map<string, readonly string[]>();
    const repeats: string[] = [];
    const runs = new Set<string>();
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
          await client.workflow.getHandle(of.mailboxId).signal(signalNames.remediationEnded, {
            remediationId: of.remediationId,
            state: 'verified',
          });
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
          await systemClock.sleep(Math.random() * gapMaxMs);
        }
      });
      await Promise.all(lanes);
      await eventually(() => assert.equal(handled.size, alerts), { withinMs: 15_000 });
    });
    return { handled: handled.size, repeats, runs: runs.size };
  }

  it('loses none of 150 and acts on none twice', async () => {
    const { handled, repeats, runs } = await send('closing', {});

    assert.equal(handled, alerts);
    assert.deepEqual(repeats, []);
    assert.ok(runs > 10, `the mailbox closed only ${runs} times`);
  });

  it('loses none and acts on none twice while it continues as new every 5 signals', async () => {
    const { handled, repeats, runs } = await send('renewing', { signalsMax: 5 });

    assert.equal(handled, alerts);
    assert.deepEqual(repeats, []);
    assert.ok(runs > 10, `the mailbox renewed only ${runs} times`);
  });
});
