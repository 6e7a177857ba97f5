import type { GuardRefusal } from '../contracts/guard-refusal.ts';
import type { Storm } from '../contracts/storm.ts';
import { stormRefusal } from '../domain/storm-refusal.ts';
import type { Clock } from '../platform/clock.ts';
import type { PolicyStore } from './policy-store.ts';

export type StartGateDeps = {
  readonly policies: PolicyStore;
  /** Who stopped the policy; null if nobody did, or if that cannot be known now. */
  readonly stopOf: (policy: string) => Promise<GuardRefusal | null>;
  /** The storm that a policy is in now. Rejects if Redis does not answer. */
  readonly stormOf: (policy: string) => Promise<Storm | null>;
  readonly massWindowMs: number;
  readonly clock: Clock;
};

/**
 * What keeps every repair of a policy from starting now, asked right before one starts: an alert may
 * have been handed to its mailbox before a window opened or a storm began. Rejects if Redis does not
 * answer, and then nothing starts.
 */
export const startGate =
  ({ policies, stopOf, stormOf, massWindowMs, clock }: StartGateDeps) =>
  async (policy: string): Promise<GuardRefusal | null> => {
    const maintenance = policies.maintenanceAt(policy, clock.now());
    if (maintenance !== null) return maintenance;
    const stop = await stopOf(policy);
    if (stop !== null) return stop;
    const storm = await stormOf(policy);
    return storm === null ? null : stormRefusal(storm, massWindowMs);
  };
