import type { TaskSigner } from '../activities/index.ts';
import { signedTask } from '../activities/task-signer.ts';
import type { TaskReport, TaskSubmit } from '../contracts/task.ts';
import { taskIdOf } from '../domain/ids.ts';
import type { Clock } from '../platform/clock.ts';
import { sha256 } from '../platform/digest.ts';
import type { Fleet } from './fleet/fleet.ts';
import type { FleetRig, Target } from './fleet-rig.ts';
import { watchTask } from './task-progress.ts';

/** A task of a bench: no operation, as far as a simulated agent is concerned. */
export type BenchTask = {
  readonly key: string;
  readonly taskId: string;
  /** The submit as JSON; signing it is part of what is measured. */
  readonly body: () => Promise<string>;
};

/** Milliseconds from when a task is signed, if it is, and handed in, by the clock of one machine. */
export type TaskTimes = {
  /** Every job is signed, if they are. */
  readonly signed: number;
  /** The gateway has answered that it keeps the task. */
  readonly accepted: number;
  /** When the gateway had stored the results: the first, half, 99 % and all of them. */
  readonly first: number;
  readonly half: number;
  readonly most: number;
  readonly last: number;
  /** The initiator has the callback. */
  readonly told: number;
  /** Every agent knows that its result is stored: they hear it with their next pongs. */
  readonly known: number;
};

const withinMs = 120_000;
/** Some pings: each agent hears it with its next pong. */
const knownWithinMs = 15_000;
const knownLookMs = 100;
const hour = 3_600_000;
const seconds30 = 30_000;

/** A signed task of the rig for `targets`, as `benchTask`. */
export const rigTask = (rig: FleetRig, key: string, targets: readonly Target[]): BenchTask =>
  benchTask({
    ...{ key, targets, callbackUrl: rig.callbacks.url, signer: rig.signer },
    now: rig.wallClock.now(),
  });

/** A task for `targets`; `key` makes it one, and a slot of its own. */
export function benchTask(of: {
  readonly key: string;
  readonly targets: readonly Target[];
  readonly callbackUrl: string;
  readonly now: number;
  readonly timeoutMs?: number;
  /** Without one the jobs are not signed, and only agents that check nothing run them. */
  readonly signer?: TaskSigner | undefined;
}): BenchTask {
  const now = Math.floor(of.now);
  const task: TaskSubmit = {
    version: 1,
    slot: of.key,
    attempt: 1,
    action: {
      ...{ kind: 'script', interpreter: 'sh', content: 'exit 0\n', args: [], env: {} },
      ...{ secretEnv: {}, stdin: { kind: 'none' }, cwd: null },
    },
    targets: [...of.targets],
    limits: { timeoutMs: of.timeoutMs ?? seconds30, outputBytes: 1024 * 1024 },
    notAfter: now + hour,
    deadline: now + 2 * hour,
    callback: { url: of.callbackUrl, reference: of.key },
  };
  const { key, signer } = of;
  const plain = JSON.stringify(task);
  const signed = async (by: TaskSigner) => JSON.stringify(await signedTask(by, { key, task }));
  return {
    key,
    taskId: taskIdOf(key, sha256),
    body: async () => (signer === undefined ? plain : signed(signer)),
  };
}

/**
 * Hands a task in and waits until its end was told and every agent knows that its result is kept.
 * `onTold` is called between the two. Throws unless exactly one result of every host came, each a
 * success.
 */
export async function runTask(
  of: { readonly rig: FleetRig; readonly fleet: Fleet; readonly clock: Clock },
  task: BenchTask,
  { count, onTold }: { readonly count: number; readonly onTold: () => void },
): Promise<TaskTimes> {
  const { rig, clock } = of;
  const { taskId } = task;
  const now = () => rig.wallClock.now();
  const end = rig.callbacks.endOf(taskId, withinMs);
  const from = rig.wallClock.now();
  const body = await task.body();
  const signed = rig.wallClock.now() - from;
  await gatewayOf(rig).submit(task.key, body);
  const accepted = rig.wallClock.now() - from;
  const progress = watchTask({ redis: rig.redis.client, clock, now }, { taskId, count, withinMs });
  const [told, { first, half, most, last }] = await Promise.all([end, progress]);
  onTold();
  requireSuccess(told.report, count);
  const known = await knownAt(of, taskId, count);
  return {
    ...{ signed, accepted, first: first - from, half: half - from, most: most - from },
    ...{ last: last - from, told: told.at - from, known: known - from },
  };
}

/** When the last agent was told that its result is stored. Throws unless each was, exactly once. */
async function knownAt(
  { fleet, clock }: { readonly fleet: Fleet; readonly clock: Clock },
  taskId: string,
  count: number,
): Promise<number> {
  const stored: number[] = [];
  const until = clock.monotonic() + knownWithinMs;
  while (stored.length < count && clock.monotonic() < until) {
    for (const at of (await fleet.timesOf(taskId)).storedAt) stored.push(at);
    if (stored.length < count) await clock.sleep(knownLookMs);
  }
  if (stored.length !== count) {
    throw new Error(`${stored.length} results of ${count} were told to be stored`);
  }
  return stored.reduce((latest, at) => Math.max(latest, at), 0);
}

/** Throws unless all `count` hosts of the task succeeded, with how many did not and why. */
export function requireSuccess({ letters, taskId, failures }: TaskReport, count: number): void {
  if (letters === 's'.repeat(count)) return;
  const tally: Record<string, number> = {};
  for (const letter of letters) tally[letter] = (tally[letter] ?? 0) + 1;
  const reasons = new Set(failures.map(({ state, reason }) => `${state}(${reason})`));
  throw new Error(
    `task ${taskId} of ${count} hosts ended as ${JSON.stringify(tally)}: ${[...reasons].join(', ')}`,
  );
}

function gatewayOf({ gateways }: FleetRig) {
  const [gateway] = gateways;
  if (gateway === undefined) throw new Error('there is no gateway');
  return gateway;
}
