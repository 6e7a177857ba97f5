import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokenBuild, type Patch } from '../support/chaos/broken-build.ts';
import { ChaosRig } from '../support/chaos/chaos-rig.ts';
import type { Fault, Plan } from '../support/chaos/faults.ts';
import { runRound } from '../support/chaos/rounds.ts';
import type { StoryName } from '../support/chaos/stories.ts';

/**
 * A SIGKILL leaves the page cache alone, so a missing fsync as such cannot be seen by killing. What
 * the fsync is for can: the intent must be there before the process is.
 */
const intentAfterStart: readonly Patch[] = [
  {
    file: 'agent/job-desk.ts',
    find: '      await this.#deps.journal.append(intent);\n',
    replace: '',
  },
  {
    file: 'agent/job-desk.ts',
    find: '    // A cancel that came while the script was being started',
    replace: '    await this.#deps.journal.append(intent);\n    // A cancel that came',
  },
];

/** Also without the folder as second witness, which alone still keeps a job from starting twice. */
const noLookAtTheJournal: readonly Patch[] = [
  {
    file: 'agent/job-desk.ts',
    find: '    if (this.#deps.journal.entry(jobId) !== undefined) return this.#answer(frame);\n',
    replace: '',
  },
  {
    file: 'agent/job-folder.ts',
    find: '    mkdirSync(this.path, { mode: 0o700 });\n',
    replace: '    this.remove();\n    mkdirSync(this.path, { mode: 0o700 });\n',
  },
];

const noTombstone: readonly Patch[] = [
  {
    file: 'redis/intake.ts',
    find: "  return end === null ? '' : sortableInstant(end);\n",
    replace: "  return '';\n",
  },
];

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
async function judged(patches: readonly Patch[], plans: readonly Plan[]): Promise<string> {
  const build = brokenBuild(patches);
  try {
    const rig = await ChaosRig.start(build.root);
    try {
      const violations: string[] = [];
      for (const each of plans) violations.push(...(await runRound(rig, each)).violations);
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
    assert.equal(await judged([], [agentDies, gatewayDies, late]), '');
  });

  it('without an intent on disk before the process: it finds the start that came first', async () => {
    const found = await judged(intentAfterStart, [agentDies]);

    assert.match(found, /agent-1 started job \S+ of agent-0-repair \d+ ms before its intent/);
  });

  it('without a look at the journal: it finds the second start', async () => {
    const found = await judged(noLookAtTheJournal, [gatewayDies]);

    assert.match(found, /agent-1 started job \S+ of gateway-0-repair 2 times/);
  });

  it('without tombstones: it finds the repair of what was over', async () => {
    const found = await judged(noTombstone, [late]);

    assert.match(found, /agent-1 was repaired for late-0-late, which was over/);
  });
});
