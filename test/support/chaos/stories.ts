import assert from 'node:assert/strict';
import { eventually } from '../eventually.ts';
import type { ChaosRig } from './chaos-rig.ts';
import { patient } from './patience.ts';

/** Ways of an alert through the product; together they pass every crash point. */
export const storyNames = [
  'repair',
  'long',
  'cancel',
  'resolve',
  'late',
  'control',
  'lock',
] as const;
export type StoryName = (typeof storyNames)[number];

export type StoryOf = { readonly rig: ChaosRig; readonly name: string; readonly host: string };

const others: Readonly<Record<string, StoryName>> = {
  'api.before-update': 'cancel',
  'api.after-update': 'cancel',
  'api.after-audit': 'cancel',
  'workflows.before-tell': 'resolve',
  'workflows.after-tell': 'resolve',
  'activities.after-poll': 'long',
  'activities.after-cancel': 'cancel',
  'activities.after-publish': 'control',
  'activities.before-lock': 'lock',
  'activities.after-lock': 'lock',
  'gateway.after-cancel': 'cancel',
  'gateway.after-settle': 'long',
  'agent.before-stop': 'cancel',
  'agent.after-stop': 'cancel',
};

/** The story that passes a crash point. */
export const storyOf = (program: string, point: string): StoryName =>
  others[`${program}.${point}`] ?? 'repair';

/** Tells one story to its end; answers the state its repair ended in, null if none is due. */
export const stories: Readonly<Record<StoryName, (of: StoryOf) => Promise<string | null>>> = {
  async repair(of) {
    await of.rig.send({ ...of, seconds: 0.3 });
    return of.rig.endOf(of.name);
  },
  /** Runs on past its queueing time and its first poll, which comes after 7.5 s. */
  async long(of) {
    await of.rig.send({ ...of, seconds: 9 });
    return of.rig.endOf(of.name);
  },
  /** An operator calls it off while the script runs. */
  async cancel(of) {
    await of.rig.send({ ...of, seconds: 25 });
    const id = await startedRepair(of);
    await eventually(async () => {
      const answer = await of.rig.operate(
        'POST',
        `/v1/remediations/${encodeURIComponent(id)}/cancel`,
        { reason: 'chaos' },
      );
      // It may have ended before, or be called off by a request whose answer was lost.
      assert.ok([202, 409, 410].includes(answer), String(answer));
    }, patient);
    return of.rig.endOf(of.name);
  },
  /** The sender says that it is over while the script runs. */
  async resolve(of) {
    await of.rig.send({ ...of, seconds: 3 });
    await startedRepair(of);
    await of.rig.send({ ...of, seconds: 3, status: 'resolved' });
    return of.rig.endOf(of.name);
  },
  /** It was over before its firing came (rule R4). */
  async late(of) {
    await of.rig.send({ ...of, seconds: 0, status: 'resolved', due: 'nothing' });
    await of.rig.send({ ...of, seconds: 0, due: 'nothing' });
    return null;
  },
  /** The kill switch is thrown and released before it fires. */
  async control(of) {
    await untilDone(of, '/v1/control', { stopped: true, reason: 'chaos' });
    await untilDone(of, '/v1/control', { stopped: false, reason: 'chaos' });
    await of.rig.send({ ...of, seconds: 0.3 });
    return of.rig.endOf(of.name);
  },
  /** A gateway finds out an agent, which is none of the hosts; an operator lets it in again. */
  async lock(of) {
    const agentId = await of.rig.wishForLock(of.name);
    await eventually(async () => assert.ok(await of.rig.isLocked(agentId)), patient);
    await untilDone(of, `/v1/control/agents/${agentId}`, { locked: false, reason: 'chaos' });
    await of.rig.send({ ...of, seconds: 0.3 });
    return of.rig.endOf(of.name);
  },
};

/** Asks as an operator until the answer is 200. */
const untilDone = ({ rig }: StoryOf, path: string, body: unknown): Promise<void> =>
  eventually(async () => assert.equal(await rig.operate('PUT', path, body), 200), patient);

/** The id of the repair, once its script runs. */
function startedRepair({ rig, name }: StoryOf): Promise<string> {
  return eventually(async () => {
    assert.ok(
      rig.starts(name).some(({ kind }) => kind === 'act'),
      `${name} has not started`,
    );
    return (await rig.repairOf(name)).id;
  }, patient);
}
