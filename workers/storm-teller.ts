import type { StartedWith } from '../activities/index.ts';
import type { GuardRefusal } from '../contracts/guard-refusal.ts';
import { type Clocks, limits } from '../contracts/limits.ts';
import type { Storm } from '../contracts/storm.ts';
import { type AlertRef, type RemediationInput, workflowIds } from '../contracts/temporal.ts';
import { episodeOf } from '../domain/episode.ts';
import { groupIdOf } from '../domain/ids.ts';
import { stormRefusal } from '../domain/storm-refusal.ts';
import { sha256, sha256Hex } from '../platform/digest.ts';
import type { Log } from '../platform/log.ts';
import type { LoadedPolicy } from '../platform/policy-files.ts';
import type { Backoff } from './backoff.ts';
import type { PolicyStore } from './policy-store.ts';

export type StormTellerDeps = {
  /** One of that id that exists already, closed or not, is no error. */
  readonly start: (input: RemediationInput) => Promise<StartedWith>;
  readonly policies: PolicyStore;
  readonly clocks: Clocks;
  readonly callbackUrl: string;
  readonly log: Log;
  readonly backoff: Backoff;
  readonly stopped: AbortSignal;
};

type Held = {
  readonly policy: LoadedPolicy;
  readonly storm: Storm;
  readonly alert: AlertRef;
};
/** Where people read of it, and what. */
type Told = { readonly remediationId: string; readonly detail: string };

const toldMax = 1_000;
/** No group of alerts: the policy as a whole. */
const groupId = groupIdOf([['mass', 'mass']], sha256);

/**
 * Tells people of storms: one remediation for each that ends held(mass), whoever of the dispatchers is
 * first. Its id follows from the storm, so that what one that died left untold the next one tells.
 */
export class StormTeller {
  readonly #deps: StormTellerDeps;
  readonly #told = new Map<
    string,
    { readonly done: Promise<unknown>; readonly alerts: AlertRef[] }
  >();

  constructor(deps: StormTellerDeps) {
    this.#deps = deps;
  }

  /** Resolves once the remediation is there; rejects only after the stop. */
  async tell({ policy, storm, alert }: Held): Promise<Told> {
    const run = sha256Hex(storm.id);
    const remediationId = workflowIds.remediation({ policy: policy.name, groupId, run, n: 1 });
    const { detail } = this.#refusalOf(storm);
    const known = this.#told.get(remediationId);
    // Those that come in the same turn are told together.
    if (known !== undefined && known.alerts.length < limits.stormAlertsMax)
      known.alerts.push(alert);
    await (known?.done ?? this.#begin(remediationId, { policy, storm, alert }));
    return { remediationId, detail };
  }

  #begin(remediationId: string, of: Held): Promise<unknown> {
    const alerts = [of.alert];
    const done = Promise.resolve().then(() => this.#insist(remediationId, { ...of, alerts }));
    this.#told.set(remediationId, { done, alerts });
    done.catch(() => this.#told.delete(remediationId)); // Each that waits hears of it too.
    const [oldest] = this.#told.keys();
    if (this.#told.size > toldMax && oldest !== undefined) this.#told.delete(oldest);
    return done;
  }

  async #insist(
    remediationId: string,
    of: Held & { readonly alerts: readonly AlertRef[] },
  ): Promise<void> {
    const { policies, start, clocks, callbackUrl, log, backoff, stopped } = this.#deps;
    const found = policies.find(of.policy.name);
    if (found === undefined) return; // It took the alert, so it is there.
    const { reason, detail, untilMs } = this.#refusalOf(of.storm);
    const input: RemediationInput = {
      ...{ remediationId, groupId, clocks, callbackUrl, trigger: 'alert' },
      mailboxId: workflowIds.mailbox(of.policy.name, groupId),
      ...{ policy: found.policy, runbook: found.runbook },
      refusal: { reason, detail, untilMs },
      episodes: of.alerts.map(episodeOf),
    };
    for (let failures = 0; ; failures += 1) {
      try {
        await start(input);
        log.warn({ policy: of.policy.name, detail }, 'too many hosts alert at once');
        return;
      } catch (error) {
        if (stopped.aborted) throw error;
        if (failures === 0) log.warn({ error, remediationId }, 'a storm is not told yet');
        await backoff(failures, stopped);
      }
    }
  }

  #refusalOf(storm: Storm): GuardRefusal {
    return stormRefusal(storm, this.#deps.clocks.massWindowMs);
  }
}
