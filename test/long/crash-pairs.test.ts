import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ChaosRig } from '../support/chaos/chaos-rig.ts';
import { type Plan, pairPlan } from '../support/chaos/faults.ts';
import { SeededRandom } from '../support/chaos/random.ts';
import { type Round, roundInWords, tell } from '../support/chaos/rounds.ts';

const seed = Math.floor(Math.random() * 4_294_967_296);
const series = 20;
const pairsEach = 10;
/** Pairs of a series that go wrong side by side, which makes up to six deaths at a time. */
const lanes = 3;

describe(`pairs of deaths with seed ${seed}`, () => {
  let rig: ChaosRig;
  const random = new SeededRandom(seed);
  before(async () => {
    rig = await ChaosRig.start();
  });
  after(async () => {
    await rig?.stop();
  });

  /** Each lane takes the next plan when it is done with one. */
  const runAll = async (plans: readonly Plan[]): Promise<readonly Round[]> => {
    const waiting = [...plans];
    const rounds: Round[] = [];
    const lane = async () => {
      for (let plan = waiting.shift(); plan !== undefined; plan = waiting.shift()) {
        rounds.push(await tell(rig, plan));
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return rounds;
  };

  for (let number = 1; number <= series; number++) {
    it(`${pairsEach} pairs of series ${number}: every repair ends, and no violation`, async (t) => {
      const sinceMs = Date.now();
      const names = Array.from({ length: pairsEach }, (_, at) => `pair-${number}-${at + 1}`);

      const rounds = await runAll(names.map((name) => pairPlan(random, name)));

      for (const round of rounds) t.diagnostic(roundInWords(round));
      assert.deepEqual(
        rounds.flatMap(({ violations }) => violations),
        [],
      );
      assert.deepEqual(await rig.check(sinceMs), []);
      // Two lanes may wait for the same point, and the first death takes it from the other.
      assert.ok(rounds.filter(({ hits }) => hits > 0).length > pairsEach / 2, 'hardly anyone died');
    });
  }
});
