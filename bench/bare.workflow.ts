import { condition, defineSignal, proxyActivities, setHandler } from '@temporalio/workflow';
import type { BareActivities } from './bare-worker.ts';

const activities = proxyActivities<BareActivities>({
  // A queue and a worker of their own, as the product has them.
  taskQueue: 'bench-activities',
  startToCloseTimeout: '10 s',
});

const goSignal = defineSignal('go');

/** The floor of the loop: woken by its first signal, it runs one activity. Returns when that started. */
export async function bareSignal(): Promise<number> {
  let isTold = false;
  setHandler(goSignal, () => {
    isTold = true;
  });
  await condition(() => isTold);
  return activities.startedAt();
}

/** The floor of the whole: three activities, one after another. */
export async function bareThree(): Promise<void> {
  for (let round = 0; round < 3; round += 1) await activities.startedAt();
}
