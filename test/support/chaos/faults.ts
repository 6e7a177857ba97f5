import { crashPoints } from '../../../platform/crash-point.ts';
import type { SeededRandom } from './random.ts';
import { type StoryName, storyNames, storyOf } from './stories.ts';

/** What is done to a running product. Times are milliseconds after its alerts begin to be sent. */
export type Fault =
  | { readonly kind: 'point'; readonly program: string; readonly point: string }
  | { readonly kind: 'kill'; readonly part: string; readonly afterMs: number }
  | {
      readonly kind: 'pause';
      readonly part: string;
      readonly afterMs: number;
      readonly forMs: number;
    };

/** Alerts in flight together and what goes wrong meanwhile. */
export type Plan = {
  readonly name: string;
  readonly faults: readonly Fault[];
  readonly stories: readonly { readonly story: StoryName; readonly host: string }[];
};

/** A host has one repair at a time: with fewer of them dozens of repairs would wait for one another. */
export const hosts = Array.from({ length: 8 }, (_, at) => `agent-${at + 1}`);
/** Those that are killed and paused from outside. */
const victims = hosts.slice(0, 3);
const programs = ['api', 'dispatcher', 'workflows', 'activities', 'gateway', ...victims];
const servers = ['redis', 'temporal'];

/** Every crash point of the product's table. */
export const allPoints: readonly (Fault & { readonly kind: 'point' })[] = Object.entries(
  crashPoints,
).flatMap(([program, points]) =>
  Object.keys(points).map((point) => ({ kind: 'point' as const, program, point })),
);

export const inWords = (fault: Fault): string => {
  if (fault.kind === 'point') return `${fault.program} dies ${fault.point}`;
  if (fault.kind === 'kill') return `${fault.part} is killed after ${fault.afterMs} ms`;
  return `${fault.part} is paused after ${fault.afterMs} ms for ${fault.forMs} ms`;
};

/** Two deaths at once: crash points, or one of them a SIGKILL from outside. */
export function pairPlan(random: SeededRandom, name: string): Plan {
  const first = random.of(allPoints);
  const others = allPoints.filter(({ program }) => program !== first.program);
  const second: Fault =
    random.next() < 0.7
      ? random.of(others)
      : { kind: 'kill', part: random.of(programs), afterMs: random.between(0, 2_500) };
  return { name, faults: [first, second], stories: storiesFor([first, second], random) };
}

/** Up to four faults of every kind, also of the servers, while up to six alerts are in flight. */
export function stormPlan(random: SeededRandom, name: string): Plan {
  const faults = Array.from({ length: random.between(1, 5) }, () => anyFault(random));
  const more = Array.from({ length: random.between(0, 4) }, () => random.of(storyNames));
  const stories = more.map((story) => ({ story, host: random.of(hosts) }));
  return { name, faults, stories: [...storiesFor(faults, random), ...stories] };
}

function anyFault(random: SeededRandom): Fault {
  const afterMs = random.between(0, 4_000);
  const kind = random.next();
  if (kind < 0.5) return random.of(allPoints);
  const part = random.of(random.next() < 0.8 ? programs : servers);
  if (kind < 0.75) return { kind: 'kill', part, afterMs };
  return { kind: 'pause', part, afterMs, forMs: random.between(200, 4_000) };
}

/** The stories that lead past the points, each once; a plain repair if none is asked for. */
function storiesFor(faults: readonly Fault[], random: SeededRandom): Plan['stories'] {
  const names = faults.map((fault) =>
    fault.kind === 'point' ? storyOf(fault.program, fault.point) : 'repair',
  );
  return [...new Set(names)].map((story) => ({ story, host: random.of(hosts) }));
}
