import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type BrokenPart, brokenBuild } from '../support/chaos/broken-build.ts';
import { ChaosRig } from '../support/chaos/chaos-rig.ts';
import type { Fault, Plan } from '../support/chaos/faults.ts';
import { runRound } from '../support/chaos/rounds.ts';
import type { StoryName } from '../support/chaos/stories.ts';

const plan = (name: string, story: StoryName, faults: readonly Fault[]): Plan => ({
  name,
  faults,
  stories: [{ story, host: 'agent-1' }],
});
const agentDies = plan('agent', 'repair', [
  { kind: 'point', program: 'agent', point: 'while-running' },
]);
const gatewayDies = plan('gateway', 'repair', [
  { kind: 'point', program: 'gateway', point: 'before-report' },
]);
const late = plan('late', 'late', []);

/** What the checker says of a build after each of the plans, one after the other. */
async function judged(broken: BrokenPart | null, plans: readonly Plan[]): Promise<string> {
  const build = brokenBuild(broken);
  try {
    const rig = await ChaosRig.start(build.root);
    try {
      const violations: string[] = [];
      for (const each of plans) {
        const round = await runRound(rig, each);
        // Of a repair that never began every build would be whole.
        assert.ok(!round.ends.includes('held'), `${each.name}: nothing was repaired`);
        violations.push(...round.violations);
      }
      return violations.join('\n');
    } finally {
      await rig.stop();
    }
  } finally {
    build.remove();
  }
}

describe('the checker, given a build that is', () => {
  it('whole: it finds nothing', async () => {
    assert.equal(await judged(null, [agentDies, gatewayDies, late]), '');
  });

  it('without an intent on disk before the process: it finds the start that came first', async () => {
    const found = await judged('intentBeforeStart', [agentDies]);

    assert.match(found, /agent-1 started job \S+ of agent-0-repair \d+ ms before its intent/);
  });

  it('without a look at the journal: it finds the second start', async () => {
    const found = await judged('lookAtTheJournal', [gatewayDies]);

    assert.match(found, /agent-1 started job \S+ of gateway-0-repair 2 times/);
  });

  it('without tombstones: it finds the repair of what was over', async () => {
    const found = await judged('tombstone', [late]);

    assert.match(found, /agent-1 was repaired for late-0-late, which was over/);
  });
});
