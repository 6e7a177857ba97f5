import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Dispatcher } from '../../../agent-gateway/dispatch.ts';
import { Turns } from '../../../agent-gateway/turns.ts';
import { noCrashPoints } from '../../../platform/crash-point.ts';
import { silentLog } from '../../../platform/log.ts';
import { eventually } from '../../support/eventually.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const agents = 200;

/** A task of many hosts while a stop is thrown after so many of its jobs were written. */
async function stoppedAfter(
  count: number,
  stop: (gate: { control: string; stopped: boolean }) => void,
) {
  const gate = { control: 'allowed', stopped: false };
  const given: string[] = [];
  const released: string[] = [];
  const sessionOf = (agentId: string) => ({
    ...{ agentId, isReady: true, reserve: () => true, cancel: () => {} },
    release: () => released.push(agentId),
    give: ({ onHeard }: { readonly onHeard: () => void }) => {
      given.push(agentId);
      onHeard();
      if (given.length === count) stop(gate);
    },
  });
  const sessions = new Map(
    Array.from({ length: agents }, (_, at) => [`a${at}`, sessionOf(`a${at}`)]),
  );
  const body = { policy: 'web', agentIds: [...sessions.keys()], dispatchText: () => 'a job' };
  const dispatcher = new Dispatcher({
    registry: { get: (id: string) => sessions.get(id), all: () => [...sessions.values()] },
    gate: {
      get control() {
        return gate.control;
      },
      isPolicyStopped: () => gate.stopped,
    },
    ...{ isHostStopped: () => false, bodies: { body: async () => body } },
    turns: new Turns(new ManualClock()),
    jobs: {
      pendingOf: async () => [],
      markDispatched: async ({ agentIds }: { readonly agentIds: readonly string[] }) => ({
        ...{ createdAt: 1, cancel: null },
        jobs: agentIds.map(() => ({ kind: 'send', have: { stdout: 0, stderr: 0 } })),
      }),
      forget: async () => {},
    },
    cancelReason: async () => null,
    ...{ crash: noCrashPoints, clock: new ManualClock(), log: silentLog },
  } as unknown as ConstructorParameters<typeof Dispatcher>[0]); // Sessions are large; it uses five of their words.

  await dispatcher.begin({ taskId: 't', createdAt: 1 });
  await eventually(async () => {
    await nextTurn();
    assert.equal(given.length + released.length, agents);
  });
  return { given, released };
}

describe('a stop while the jobs of a task wait to be written', () => {
  it('of everything: not one more is written, and each may be given again', async () => {
    const { given, released } = await stoppedAfter(40, (gate) => {
      gate.control = 'stopped';
    });

    assert.deepEqual([given.length, released.length], [40, agents - 40]);
  });

  it('of its policy: the same', async () => {
    const { given, released } = await stoppedAfter(1, (gate) => {
      gate.stopped = true;
    });

    assert.deepEqual([given.length, released.length], [1, agents - 1]);
  });
});
