import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { ControlState } from '../../../contracts/control.ts';
import type { StandingStop, StopChangedSignal } from '../../../contracts/stop.ts';
import { silentLog } from '../../../platform/log.ts';
import { StopTeller } from '../../../workers/stop-teller.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const repairOf = (policy: string, n: number) => `remediation:${policy}:web~0badcafe:12345678-${n}`;
const stop: StandingStop = { scope: { policy: 'web' }, reason: 'worse', by: 'ada', at: 1 };
const allowed: ControlState = { revision: 1, stopped: false, reason: '', by: '', at: 1 };

/** Repairs that run, by their state, and a teller that looks when it is told to. */
function aTeller(running: Map<string, string>) {
  const signals: string[] = [];
  const world = { state: allowed as ControlState | null, signals, isAway: false };
  const client = {
    workflow: {
      async *list({ query }: { query: string }) {
        const onlyPaused = query.includes('FixpointState = "paused"');
        for (const [workflowId, state] of running) {
          if (!onlyPaused || state === 'paused') yield { workflowId };
        }
      },
      getHandle: (id: string) => ({
        async signal(_: string, { stop: told }: StopChangedSignal) {
          if (world.isAway) throw new Error('Temporal is away');
          if (!running.has(id)) throw new WorkflowNotFoundError('closed', id, undefined);
          signals.push(`${id.split(':')[1]} ${told === null ? 'goes on' : told.reason}`);
          running.set(id, told === null ? 'running' : 'paused');
        },
      }),
    },
  };
  const teller = new StopTeller({
    client: client as unknown as Client, // Of the client nothing else is used.
    control: { read: async () => world.state },
    clock: new ManualClock(),
    log: silentLog,
    controlRefreshMs: 1,
  });
  return { world, teller };
}

describe('telling repairs of stops', () => {
  it('those of the policy hear once that it is stopped, and once that it goes on; others hear nothing', async () => {
    const running = new Map([
      [repairOf('web', 1), 'running'],
      [repairOf('db', 1), 'running'],
    ]);
    const { world, teller } = aTeller(running);

    for (let round = 0; round < 3; round++) await teller.look(round);
    world.state = { ...allowed, stops: [stop] };
    for (let round = 3; round < 30; round++) await teller.look(round);
    world.state = allowed;
    for (let round = 30; round < 90; round++) await teller.look(round);

    assert.deepEqual(world.signals, ['web worse', 'web goes on']);
  });

  it('a repair that was listed late hears of it all the same', async () => {
    const running = new Map<string, string>();
    const { world, teller } = aTeller(running);
    world.state = { ...allowed, stops: [stop] };
    await teller.look(1);
    running.set(repairOf('web', 2), 'running');

    for (let round = 2; round <= 5; round++) await teller.look(round);

    assert.deepEqual(world.signals, ['web worse']);
  });

  it('a repair that waits although nothing stops it goes on, whoever had told it', async () => {
    const running = new Map([[repairOf('web', 1), 'paused']]);
    const { world, teller } = aTeller(running);

    await teller.look(0);

    assert.deepEqual(world.signals, ['web goes on']);
  });

  it('a word that could not be said is said at the next look', async () => {
    const { world, teller } = aTeller(new Map([[repairOf('web', 1), 'running']]));
    world.state = { ...allowed, stops: [stop] };
    world.isAway = true;
    await assert.rejects(teller.look(1));
    world.isAway = false;

    await teller.look(2);

    assert.deepEqual(world.signals, ['web worse']);
  });

  it('everything stopped: every repair hears it; while the switch is not known none hears anything', async () => {
    const running = new Map([
      [repairOf('web', 1), 'running'],
      [repairOf('db', 1), 'running'],
    ]);
    const { world, teller } = aTeller(running);
    world.state = { ...allowed, stopped: true, reason: 'fire' };
    await teller.look(1);
    world.state = null;
    for (let round = 2; round < 40; round++) await teller.look(round);

    assert.deepEqual(world.signals, ['web fire', 'db fire']);
  });
});
