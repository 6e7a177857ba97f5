import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { ChaosRig } from '../support/chaos/chaos-rig.ts';
import { allPoints, hosts, inWords, pairPlan } from '../support/chaos/faults.ts';
import { SeededRandom } from '../support/chaos/random.ts';
import { roundInWords, tell } from '../support/chaos/rounds.ts';
import { type StoryName, stories, storyOf } from '../support/chaos/stories.ts';
import { eventually } from '../support/eventually.ts';

// One with deaths of every program and no point twice.
const pairSeed = 87;
const pairs = 10;
const pairLanes = 3;
/** A repair's host may be held by several before it, each of them with a death of its own. */
const waitingMs = 180_000;
const kills = ['api', 'dispatcher', 'workflows', 'activities', 'gateway', 'agent-2'] as const;

type Point = (typeof allPoints)[number];

/** One of each program in turn: a program that has just been started again is left alone a while. */
function inTurn(points: readonly Point[]): readonly Point[] {
  const lanes = [...Map.groupBy(points, ({ program }) => program).values()];
  const longest = Math.max(...lanes.map(({ length }) => length));
  return Array.from({ length: longest }, (_, at) => lanes.flatMap((lane) => lane[at] ?? [])).flat();
}

const isSlow = ({ program, point }: Point) => storyOf(program, point) === 'long';
const isAgent = ({ program }: Point) => program === 'agent';
const isOf =
  (...programs: readonly string[]) =>
  ({ program }: Point) =>
    programs.includes(program);
const servers = allPoints.filter((point) => !isAgent(point) && !isSlow(point));
const lanes = {
  'servers of people, agents and the intake': inTurn(
    servers.filter(isOf('api', 'dispatcher', 'gateway')),
  ),
  'workers of workflows': servers.filter(isOf('workflows')),
  'workers of activities': servers.filter(isOf('activities')),
  agents: allPoints.filter(isAgent),
  'what takes long': allPoints.filter(isSlow),
};

describe('whatever dies, every host ends in a provable state', () => {
  let rig: ChaosRig;
  let startedAt: number;
  let isWhole = true;
  /** A host has one repair at a time: stories under way on each. */
  const busy = new Map<string, number>();
  const underWay = (host: string) => busy.get(host) ?? 0;
  const turn = [...hosts];
  const ends: { readonly name: string; readonly due: string; readonly end: Promise<string> }[] = [];
  before(async () => {
    startedAt = Date.now();
    rig = await ChaosRig.start();
  });
  afterEach((context) => {
    isWhole &&= (context as { readonly passed?: boolean }).passed !== false;
  });
  after(async () => {
    await Promise.all(ends.map(({ end }) => end));
    await rig?.stop({ keep: !isWhole });
    if (!isWhole && rig) process.stderr.write(`logs and journals: ${rig.product.folder}\n`);
  });

  /** Begins a story on the host that has had least to do; its end is looked at when all have begun. */
  const begin = (name: string, story: StoryName) => {
    const [host = 'agent-1'] = turn.sort((a, b) => underWay(a) - underWay(b)).splice(0, 1);
    turn.push(host);
    busy.set(host, underWay(host) + 1);
    const end = stories[story]({ rig, name, host }).then(String, String);
    end.then(() => busy.set(host, underWay(host) - 1));
    ends.push({ name, due: story === 'cancel' ? 'cancelled' : 'verified', end });
  };

  describe('each alone', { concurrency: Object.keys(lanes).length }, () => {
    for (const [lane, points] of Object.entries(lanes)) {
      describe(lane, { concurrency: 1 }, () => {
        for (const fault of points) {
          const { program, point } = fault;
          it(`${inWords(fault)} and is back`, async () => {
            rig.arm(program, point);
            begin(`${program}-${point}`, storyOf(program, point));

            await eventually(() => assert.ok(rig.hasDied(program, point), 'nobody died'), {
              withinMs: waitingMs,
            });
            await rig.isBack(program);
          });
        }
      });
    }
  });

  describe('several at a time', { concurrency: 2 }, () => {
    describe('killed while a script runs', { concurrency: 1 }, () => {
      for (const part of kills) {
        it(`${part} is back`, async () => {
          const name = `${part}-killed`;
          begin(name, 'resolve');

          await eventually(() => assert.ok(rig.starts(name).length > 0), { withinMs: waitingMs });
          // A pair may have it down just now.
          await eventually(() => assert.ok(rig.signal(part, 'SIGKILL'), `${part} does not run`));
          await rig.isBack(part);
        });
      }
    });

    describe(`pairs of seed ${pairSeed}`, { concurrency: pairLanes }, () => {
      const random = new SeededRandom(pairSeed);
      for (let number = 1; number <= pairs; number++) {
        const plan = pairPlan(random, `pair-${number}`);
        it(`${plan.faults.map(inWords).join(' and ')}: every repair ends`, async () => {
          const round = await tell(rig, plan);

          assert.deepEqual(round.violations, [], roundInWords(round));
          assert.ok(round.hits > 0, 'nobody died');
        });
      }
    });
  });

  it('every repair that met a death of its own ends by itself as if nothing had happened', async () => {
    const wrong: string[] = [];
    for (const { name, due, end } of ends) {
      const state = await end;
      if (state !== due) wrong.push(`due ${due}: ${state} · ${await rig.accountOf(name)}`);
    }
    assert.deepEqual(wrong, []);
  });

  it('the independent checker finds no violation in all of it', async () => {
    assert.deepEqual(await rig.check(startedAt), []);
  });
});
