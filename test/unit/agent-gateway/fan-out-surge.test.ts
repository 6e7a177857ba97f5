import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { limits } from '../../../contracts/limits.ts';
import { scriptedDispatcher } from '../../support/scripted-dispatcher.ts';

const agents = 5_000;
const answersATurn = 40;

/** Gives one job to all agents, who answer in their own time; the most that were unanswered at once. */
async function peakOfAFanOut(unheardJobsMax?: number): Promise<number> {
  const unheard: (() => void)[] = [];
  const given = new Map<string, number>();
  let peak = 0;
  const give = (agentId: string, onHeard: () => void) => {
    given.set(agentId, (given.get(agentId) ?? 0) + 1);
    unheard.push(onHeard);
    peak = Math.max(peak, unheard.length);
  };
  const dispatcher = scriptedDispatcher({ agents, link: { give }, unheardJobsMax });

  await dispatcher.begin({ taskId: 't', createdAt: 1 });
  for (let turn = 0; given.size < agents || unheard.length > 0; turn += 1) {
    assert.ok(turn < 100 * agents, `${given.size} of ${agents} agents were given work`);
    for (const heard of unheard.splice(0, answersATurn)) heard();
    await nextTurn();
  }
  assert.ok([...given.values()].every((times) => times === 1));
  return peak;
}

// A public incident, by its name (safety.md 2.1): with its guard, and without, where the harm must happen.
describe('S11 fan-out-surge', () => {
  it('5,000 agents get work, and no more than a window of them have it unanswered at once', async () => {
    const peak = await peakOfAFanOut();

    // Two slices may be on their way when the window fills.
    const most = limits.unheardJobsMax + 2 * limits.sliceJobsMax;
    assert.ok(peak >= limits.sliceJobsMax && peak <= most, `${peak} at once`);
  });

  it('without the window they surge', async () => {
    const peak = await peakOfAFanOut(Number.POSITIVE_INFINITY);

    assert.ok(peak > 3 * limits.unheardJobsMax, `${peak} at once`);
  });
});
