// Some thousand simulated agents in a process of their own, told by messages of its parent what to
// be. It ends when its parent does.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../platform/clock.ts';
import { silentLog } from '../../platform/log.ts';
import { WallClock } from '../wall-clock.ts';
import { AgentCrowd } from './agent-crowd.ts';
import type { FleetAnswer, FleetOrder, FleetPlan } from './fleet-messages.ts';
import { readIdentities } from './identity-shards.ts';
import { JobLog } from './job-log.ts';
import { SharedJournal } from './shared-journal.ts';

const directory = mkdtempSync(join(tmpdir(), 'fixpoint-fleet-'));
const wallClock = new WallClock();
const jobLog = new JobLog(wallClock);
const deps = { clock: systemClock, log: silentLog };
const journal = new SharedJournal({
  ...{ ...deps, directory },
  onStored: (jobId) => jobLog.stored(jobId),
});
let crowd: AgentCrowd | undefined;

async function start(plan: FleetPlan): Promise<void> {
  const identities = readIdentities(plan.shards, plan);
  crowd = new AgentCrowd({ ...deps, plan, identities, journal, jobLog });
  await crowd.start();
}

async function answerTo(order: FleetOrder): Promise<FleetAnswer> {
  switch (order.kind) {
    case 'start':
      await start(order.plan);
      return { kind: 'done' };
    case 'status':
      if (crowd === undefined) throw new Error('it has not been started');
      return { kind: 'status', status: crowd.status() };
    case 'stored':
      return { kind: 'stored', ...jobLog.take(order.taskId) };
    case 'stop':
      await crowd?.stop();
      await journal.close();
      return { kind: 'done' };
  }
}

process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => {}); // A Ctrl-C reaches the whole group; the parent ends us in order.
process.on('message', ({ id, order }: { id: number; order: FleetOrder }) => {
  answerTo(order).then(
    (answer) => process.send?.({ id, answer }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  );
});
