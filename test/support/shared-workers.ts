import { fileURLToPath } from 'node:url';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { NativeConnection, Worker } from '@temporalio/worker';
import { bundleKeptIn } from '../../workers/workflow-bundle.ts';
import { makeWorkers } from './core-workers.ts';
import type { FakeActivities } from './workflow-environment.ts';

const ofClone = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** What workflows are made of on the time-skipping server. */
const deadlines = ofClone('test/support/whole-second-deadlines.ts');
const bundles = ofClone('node_modules/.cache/fixpoint/time-skipping');

/** What an activity that hangs may keep at the end. */
const shutdownMs = 5_000;

/**
 * Workers of all three queues that all tests of a file have in common: to make them takes longer than
 * most tests do. Each test gives them its own activities, in turn.
 */
export class SharedWorkers {
  readonly #connection: NativeConnection;
  #given: Readonly<Record<string, (...args: unknown[]) => Promise<unknown>>> = {};
  #workers: readonly Worker[] = [];
  #running: Promise<unknown> | null = null;

  constructor(connection: NativeConnection) {
    this.#connection = connection;
  }

  /** Runs `work` beside the workers, which call `activities` meanwhile. Rejects when a worker fails. */
  async lend<T>(activities: FakeActivities, work: () => Promise<T>): Promise<T> {
    if (this.#running === null) await this.#start();
    const before = this.#given;
    this.#given = { ...activities } as typeof before;
    try {
      return await Promise.race([work(), this.#failure()]);
    } finally {
      this.#given = before;
    }
  }

  async stop(): Promise<void> {
    for (const worker of this.#workers) worker.shutdown();
    await this.#running;
  }

  async #start(): Promise<void> {
    this.#workers = await makeWorkers({
      connection: this.#connection,
      activities: { default: (...args: unknown[]) => this.#call(args) },
      ...{ gateway: true, forceMs: shutdownMs },
      bundle: await bundleKeptIn(bundles, [deadlines]),
    });
    this.#running = Promise.all(this.#workers.map((worker) => worker.run()));
    this.#running.catch(() => {}); // Heard by the test that runs, and by `stop`.
  }

  async #failure(): Promise<never> {
    await this.#running;
    throw new Error('the workers stopped in the middle of a test');
  }

  async #call(args: readonly unknown[]): Promise<unknown> {
    const { activityType } = Context.current().info;
    const activity = this.#given[activityType];
    if (activity !== undefined) return activity(...args);
    throw ApplicationFailure.create({
      type: 'NotFoundError',
      message: `this test gives no activity ${activityType}`,
    });
  }
}
