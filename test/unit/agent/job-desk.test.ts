import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { JobDesk, type JobDeskDeps } from '../../../agent/job-desk.ts';
import type { Intent } from '../../../agent/journal-record.ts';
import type { AgentFrame } from '../../../contracts/frames.ts';
import { limits } from '../../../contracts/limits.ts';
import { jobIdOf, taskIdOf } from '../../../domain/ids.ts';
import { jobBytes, jobOf } from '../../../domain/job-bytes.ts';
import { noCrashPoints } from '../../../platform/crash-point.ts';
import { contentDigestOf, sha256 } from '../../../platform/digest.ts';
import { silentLog } from '../../../platform/log.ts';
import { aSubmit, someTargets } from '../../support/builders.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const [target = assert.fail('no target')] = someTargets(1);

/** A dispatch of the host's job of a task of its own. */
function aDispatch(key: string, notAfter: number) {
  const task = aSubmit({ slot: `remediation:test/${key}`, targets: [target], notAfter });
  const taskId = taskIdOf(key, sha256);
  const { content } = task.action;
  const contentDigest = contentDigestOf(content);
  const job = jobBytes(jobOf({ taskId, key, task, contentDigest, target, position: 0 }));
  const have = { stdout: 0, stderr: 0 };
  return {
    ...({ type: 'dispatch', jobId: jobIdOf(taskId, target.agentId) } as const),
    ...{ job, content, have },
  };
}

/** A desk whose jobs run from their start on, and whose starts go on until the test's end. */
function aDesk() {
  const clock = new ManualClock();
  const running: Intent[] = [];
  const frames: AgentFrame[] = [];
  const { agentId, journalId } = target;
  const deps = {
    state: { identity: { agentId, journalId }, isStopped: () => false, secret: () => null },
    trust: { distrust: () => null },
    journal: { entry: () => undefined, entries: () => [], append: async () => {} },
    executor: {
      chooseUser: async () => ({ kind: 'own' }),
      isSlotAlive: () => false,
      running: () => running,
      start: ({ intent }: { readonly intent: Intent }) => {
        running.push(intent);
        return new Promise(() => {});
      },
    },
    lease: { holds: () => true, isStopped: false, gatewayTime: () => clock.now() },
    ...{ clock, log: silentLog, crashAt: noCrashPoints, bootId: 'boot' },
    ...{ leaseWaitMs: 0, resendAfterMs: 0 },
  } as unknown as JobDeskDeps; // What a desk asks of them here, and no more.
  const desk = new JobDesk(deps);
  desk.onOpen({
    ...{ isOpen: true, backlogBytes: 0, sendOutput() {}, sendAnswer() {} },
    send: (frame) => frames.push(frame),
  });
  const dispatch = async (key: string) => {
    void desk.onDispatch(aDispatch(key, clock.now() + 60_000));
    await setImmediate();
  };
  const refused = () =>
    frames.flatMap((frame) => (frame.type === 'result' ? [frame.report.reason] : []));
  return { dispatch, running, refused };
}

describe('job desk', () => {
  it('takes as many jobs at once as an agent may run, and refuses one more as busy', async () => {
    const { dispatch, running, refused } = aDesk();

    for (let at = 0; at < limits.agentJobsMax; at += 1) await dispatch(`key-of-job-${at}`);
    assert.deepEqual([running.length, refused()], [limits.agentJobsMax, []]);
    await dispatch('one-more');

    assert.deepEqual([running.length, refused()], [limits.agentJobsMax, ['busy']]);
  });
});
