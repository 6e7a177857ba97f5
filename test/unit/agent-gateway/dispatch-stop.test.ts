import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { eventually } from '../../support/eventually.ts';
import { scriptedDispatcher } from '../../support/scripted-dispatcher.ts';

const agents = 200;

/** A task of many hosts while a stop is thrown after so many of its jobs were written. */
async function stoppedAfter(
  count: number,
  stop: (gate: { control: string; stopped: boolean }) => void,
) {
  const gate = { control: 'allowed', stopped: false };
  const given: string[] = [];
  const released: string[] = [];
  const dispatcher = scriptedDispatcher({
    ...{ agents, policy: 'web' },
    gate: {
      get control() {
        return gate.control;
      },
      isPolicyStopped: () => gate.stopped,
    },
    link: {
      release: (agentId) => released.push(agentId),
      give: (agentId, onHeard) => {
        given.push(agentId);
        onHeard();
        if (given.length === count) stop(gate);
      },
    },
  });

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
