import { type Client, WorkflowUpdateFailedError } from '@temporalio/client';
import type { RepairEndedSignal } from '../contracts/breaker.ts';
import type { ControlInput, ControlState, LockUpdate } from '../contracts/control.ts';
import {
  queryNames,
  type RemediationEndedSignal,
  taskQueues,
  updateNames,
  workflowIds,
  workflowTypes,
} from '../contracts/temporal.ts';
import type { Clock } from '../platform/clock.ts';
import { republish, untilCached } from '../platform/control-switch.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import { repeatUntil } from '../platform/repeat.ts';
import { settleTrials } from './breaker-trials.ts';
import type { OpenTask } from './gateway-client.ts';
import { describeIfThere } from './running-repairs.ts';

type LockWish = { readonly agentId: string; readonly reason: string; readonly at: number };

export type JanitorDeps = {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly gateway: {
    openTasks(): Promise<readonly OpenTask[]>;
    cancel(of: { key: string; reason: string }): Promise<void>;
  };
  readonly governor: {
    holders(): Promise<readonly string[]>;
    releaseAll(remediationId: string): Promise<unknown>;
  };
  readonly control: {
    read(): Promise<ControlState | null>;
    /** Returns the revision that stands afterwards; a higher one than the state's kept it out. */
    write(state: ControlState): Promise<number>;
  };
  readonly lockWishes: {
    /** `at` is Unix milliseconds, 0 of a wish that cannot be read. */
    all(): Promise<readonly LockWish[]>;
    remove(agentId: string): Promise<void>;
  };
  readonly tellMailbox: (mailboxId: string, signal: RemediationEndedSignal) => Promise<void>;
  readonly tellBreaker: (signal: RepairEndedSignal) => Promise<void>;
  /** What the cache says at each look. */
  readonly controlSeen: (state: ControlState) => void;
  readonly crash: CrashPoints<'activities'>;
  readonly janitorMs: number;
  readonly controlRefreshMs: number;
};

/** Rounds of the control look in which the cache is compared although it is there. */
const compareEvery = 15;
/** How far a listing may lag behind, in rounds. */
const lagRounds = 3;

/**
 * Puts right what nobody else can: the kill switch's cache when Redis lost it (R6), tasks and held hosts
 * whose workflow was terminated (R9), and mailboxes that wait for a repair that cannot speak any more.
 */
export class Janitor {
  readonly #deps: JanitorDeps;
  /** Ended repairs whose mailboxes were told, with the time of their end. */
  readonly #told = new Map<string, number>();
  /** Standing wishes whose update failed, by its id: how often. Asked again under that id it would fail again. */
  readonly #failed = new Map<string, number>();
  /** All that ended before this was seen; null until the first whole look. */
  #seenUpToMs: number | null = null;

  constructor(deps: JanitorDeps) {
    this.#deps = deps;
  }

  /** Works in rounds until `stopped` is aborted; a round that fails is made again. */
  async run(stopped: AbortSignal): Promise<void> {
    const { janitorMs, controlRefreshMs } = this.#deps;
    await Promise.all([
      this.#repeat(stopped, controlRefreshMs, (round) => this.refreshControl(round)),
      this.#repeat(stopped, controlRefreshMs, () => this.grantLocks()),
      this.#repeat(stopped, janitorMs, () => this.cancelOrphans()),
      this.#repeat(stopped, janitorMs, () => this.freeHolds()),
      this.#repeat(stopped, janitorMs, () => this.tellMailboxes()),
      this.#repeat(stopped, janitorMs, () => this.settleTrials()),
    ]);
  }

  /** Starts the control workflow if nobody has, and gives Redis its state when it is missing or old. */
  async refreshControl(round: number): Promise<void> {
    const { client, control, controlSeen, log } = this.#deps;
    const cached = await control.read();
    if (cached !== null) controlSeen(cached);
    if (cached !== null && round % compareEvery !== 0) return;
    // A Temporal that lost the switch is told by the cache: what was stopped stays so.
    const state = cached ?? { revision: 0, stopped: false, reason: '', by: '', at: 0 };
    const initial: ControlInput = { state };
    const handle = await client.workflow.start(workflowTypes.control, {
      workflowId: workflowIds.control,
      taskQueue: taskQueues.workflows,
      args: [initial],
      workflowIdConflictPolicy: 'USE_EXISTING',
      staticSummary: 'kill switch',
    });
    const truth = await handle.query<ControlState>(queryNames.state);
    const standing = await control.write(truth);
    if (standing <= truth.revision) return;
    await republish({ client }, { standing, past: truth.revision });
    log.warn({ standing, revision: truth.revision }, 'the control cache was ahead of the switch');
  }

  /**
   * Makes locks of what gateways wished for; a wish goes only after its lock holds. One that cannot
   * be granted keeps no other. One that was granted and is still there locks nobody again whom an
   * operator has let in since.
   */
  async grantLocks(): Promise<void> {
    const { lockWishes, crash, log } = this.#deps;
    const wishes = await lockWishes.all();
    this.#forgetAllBut(wishes);
    for (const wish of wishes) {
      const { agentId, reason } = wish;
      crash('before-lock');
      try {
        await this.#lock(wish);
        crash('after-lock');
        await lockWishes.remove(agentId);
        log.warn({ agentId, reason }, 'locked an agent that a gateway found out');
      } catch (error) {
        log.warn({ error, agentId, reason }, 'an agent that a gateway found out is not locked yet');
      }
    }
  }

  /** A wish that failed here may have been granted by another worker since. */
  #forgetAllBut(wishes: readonly LockWish[]): void {
    const standing = new Set(wishes.map(idOf));
    for (const id of this.#failed.keys()) if (!standing.has(id)) this.#failed.delete(id);
  }

  async #lock(of: LockWish): Promise<void> {
    const { agentId, reason, at } = of;
    const update: LockUpdate = { agentId, reason, by: 'gateway' };
    const wish = idOf(of);
    const failures = this.#failed.get(wish) ?? 0;
    try {
      const locked = await this.#deps.client.workflow
        .getHandle(workflowIds.control)
        .executeUpdate<ControlState, [LockUpdate]>(updateNames.lockAgent, {
          args: [update],
          // A wish that cannot be read does not say which it is, and may be a new one.
          ...(at === 0 ? {} : { updateId: `${wish}/${failures}` }),
        });
      await untilCached(this.#deps, locked);
      this.#failed.delete(wish);
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError) this.#failed.set(wish, failures + 1);
      throw error;
    }
  }

  /** Cancels the open tasks of repairs that are closed. One that cannot be cancelled keeps no other. */
  async cancelOrphans(): Promise<void> {
    const { gateway, log } = this.#deps;
    for (const [remediationId, tasks] of await this.#openTasks()) {
      try {
        if (await isOpen(this.#deps.client, remediationId)) continue;
        for (const { key } of tasks) await gateway.cancel({ key, reason: 'operator' });
        log.info({ remediationId, tasks: tasks.length }, 'cancelled tasks of a closed workflow');
      } catch (error) {
        log.warn({ error, remediationId }, 'tasks of a closed workflow are not cancelled yet');
      }
    }
  }

  /**
   * Frees what closed repairs hold, once none of their tasks is open any more: until then their scripts
   * may still run. One that cannot be freed keeps no other.
   */
  async freeHolds(): Promise<void> {
    const { client, governor, log } = this.#deps;
    const holders = await governor.holders();
    if (holders.length === 0) return;
    const tasks = await this.#openTasks();
    for (const remediationId of holders) {
      try {
        if (tasks.has(remediationId) || (await isOpen(client, remediationId))) continue;
        await governor.releaseAll(remediationId);
        log.info({ remediationId }, 'freed the hosts of a closed workflow');
      } catch (error) {
        log.warn({ error, remediationId }, 'the hosts of a closed workflow are not free yet');
      }
    }
  }

  /** Open tasks of repairs, by the repair. */
  async #openTasks(): Promise<ReadonlyMap<string, readonly OpenTask[]>> {
    const byRepair = new Map<string, OpenTask[]>();
    for (const task of await this.#deps.gateway.openTasks()) {
      if (!task.reference?.startsWith(`${workflowTypes.remediation}:`)) continue;
      byRepair.set(task.reference, [...(byRepair.get(task.reference) ?? []), task]);
    }
    return byRepair;
  }

  /**
   * Says "failed" for repairs that Temporal ended from outside. The first look goes back as far as
   * Temporal remembers, because a mailbox that is never told never repairs again.
   */
  async tellMailboxes(): Promise<void> {
    const { client, clock, janitorMs, tellMailbox } = this.#deps;
    const lookMs = clock.now();
    const sinceMs = this.#seenUpToMs === null ? 0 : this.#seenUpToMs - lagRounds * janitorMs;
    const since = new Date(sinceMs).toISOString();
    const query = `WorkflowType = "${workflowTypes.remediation}" AND ExecutionStatus IN ("Terminated", "Failed", "TimedOut") AND CloseTime > "${since}"`;
    for await (const { workflowId, runId, closeTime } of client.workflow.list({ query })) {
      if (this.#told.has(runId)) continue;
      const [, policy, groupId] = workflowId.split(':');
      if (policy === undefined || groupId === undefined) continue;
      await tellMailbox(workflowIds.mailbox(policy, groupId), {
        remediationId: workflowId,
        state: 'failed',
      });
      this.#told.set(runId, closeTime?.getTime() ?? lookMs);
    }
    for (const [runId, endedMs] of this.#told) if (endedMs < sinceMs) this.#told.delete(runId);
    this.#seenUpToMs = lookMs;
  }

  /** Says how trials of breakers ended that cannot say so themselves. */
  async settleTrials(): Promise<void> {
    const { client, clock, control, tellBreaker } = this.#deps;
    const { breakers = [] } = (await control.read()) ?? {};
    await settleTrials({ client, breakers, nowMs: clock.now(), tellBreaker });
  }

  #repeat(
    stopped: AbortSignal,
    everyMs: number,
    work: (round: number) => Promise<void>,
  ): Promise<void> {
    const { clock, log } = this.#deps;
    const failed = (error: unknown) => log.warn({ error }, 'the janitor will try again');
    return repeatUntil(stopped, { everyMs, clock, work, failed });
  }
}

const idOf = ({ agentId, at }: LockWish): string => `${updateNames.lockAgent}/${agentId}/${at}`;

const isOpen = async (client: Client, workflowId: string): Promise<boolean> =>
  (await describeIfThere(client, workflowId))?.status.name === 'RUNNING';
