import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Dispatcher } from '../../../agent-gateway/dispatch.ts';
import { Turns } from '../../../agent-gateway/turns.ts';
import { limits } from '../../../contracts/limits.ts';
import { noCrashPoints } from '../../../platform/crash-point.ts';
import { silentLog } from '../../../platform/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const agents = 5_000;
const answersATurn = 40;

/** Gives one job to all agents, who answer in their own time; the most that were unanswered at once. */
async function peakOfAFanOut(unheardJobsMax?: number): Promise<number> {
  const unheard: (() => void)[] = [];
  const given = new Map<string, number>();
  let peak = 0;
  const sessionOf = (agentId: string) => ({
    ...{ agentId, isReady: true, reserve: () => true, release: () => {}, cancel: () => {} },
    give: ({ onHeard }: { readonly onHeard: () => void }) => {
      given.set(agentId, (given.get(agentId) ?? 0) + 1);
      unheard.push(onHeard);
      peak = Math.max(peak, unheard.length);
    },
  });
  const sessions = new Map(
    Array.from({ length: agents }, (_, at) => [`a${at}`, sessionOf(`a${at}`)]),
  );
  const body = { policy: null, agentIds: [...sessions.keys()], dispatchText: () => 'a job' };
  const dispatcher = new Dispatcher({
    registry: { get: (id: string) => sessions.get(id), all: () => [...sessions.values()] },
    ...{ gate: { control: 'allowed', isPolicyStopped: () => false }, isHostStopped: () => false },
    ...{ bodies: { body: async () => body }, turns: new Turns(new ManualClock()) },
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
    ...(unheardJobsMax === undefined ? {} : { unheardJobsMax }),
  } as unknown as ConstructorParameters<typeof Dispatcher>[0]); // Sessions are large; it uses five of their words.

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
