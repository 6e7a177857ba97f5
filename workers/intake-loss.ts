import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { workflowIds } from '../contracts/temporal.ts';
import { sortableInstant } from '../domain/instant.ts';
import type { Clock } from '../platform/clock.ts';

export type IntakeLossDeps = {
  readonly client: Client;
  readonly clock: Clock;
  /** Says since when Redis has seen everything; what it says already stays. */
  readonly seenSince: (instant: string) => Promise<void>;
};

/** A kill switch that is younger belongs to a product that is just being started. */
const freshMs = 300_000;
const always = sortableInstant(0n);

/**
 * Whether Redis has lost what the intake knew, tombstones among it (rule R4). Redis alone cannot
 * tell a loss from a first start: the kill switch in Temporal can, which is as old as the product.
 */
export class IntakeLoss {
  readonly #deps: IntakeLossDeps;
  #hasSeen = false;

  constructor(deps: IntakeLossDeps) {
    this.#deps = deps;
  }

  /**
   * Writes down since when Redis has seen everything, where it does not say so: since now, if it
   * knew more before; since ever, on a first start. Rejects if Redis or Temporal does not answer.
   */
  async settle(): Promise<void> {
    const { clock, seenSince } = this.#deps;
    const isLoss = this.#hasSeen || (await this.#isOld());
    await seenSince(isLoss ? sortableInstant(BigInt(clock.now()) * 1_000_000n) : always);
    this.#hasSeen = true;
  }

  async #isOld(): Promise<boolean> {
    const { client, clock } = this.#deps;
    try {
      const { startTime } = await client.workflow.getHandle(workflowIds.control).describe();
      return clock.now() - startTime.getTime() > freshMs;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }
}
