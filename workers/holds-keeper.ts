import type { Client } from '@temporalio/client';
import type { HoldsView } from '../contracts/admission.ts';
import { queryNames } from '../contracts/temporal.ts';
import { invariant } from '../domain/errors.ts';
import { slices } from '../domain/slices.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { repeatUntil } from '../platform/repeat.ts';
import { runningRepairs } from './running-repairs.ts';

type HeldHost = {
  readonly agentId: string;
  readonly domains: readonly string[];
  readonly service: string | null;
  readonly wasHealthy: boolean;
};

export type HoldsKeeperDeps = {
  readonly client: Client;
  readonly governor: {
    isFenced(): Promise<boolean>;
    beginRebuild(): Promise<{ kind: 'rebuilding'; token: string } | { kind: 'open' }>;
    insert(of: {
      readonly token: string;
      readonly remediationId: string;
      readonly hosts: readonly HeldHost[];
    }): Promise<
      | { kind: 'inserted'; heldByOthers: readonly { agentId: string; by: string }[] }
      | { kind: 'over' }
    >;
    reopen(token: string): Promise<boolean>;
    heldByDomain(): Promise<ReadonlyMap<string, number>>;
  };
  readonly clock: Clock;
  readonly log: Log;
  readonly rebuildLookMs: number;
  readonly rebuildSettleMs: number;
  /** What the governor is at each look: fenced, or so many held hosts of each domain. */
  readonly seen: (
    now: { kind: 'fenced' } | { kind: 'open'; held: ReadonlyMap<string, number> },
  ) => void;
};

/** Open repairs that are asked at once what they hold. */
const askedAtOnce = 8;

/**
 * Gives the holds back to a Redis that may have lost some (rule R6): until then nobody is admitted.
 * Workers may do it side by side. First it waits until every admission that the lost Redis granted
 * has either reached its repair's history or failed, to be tried again; then what the open repairs say
 * is all that is held.
 */
export class HoldsKeeper {
  readonly #deps: HoldsKeeperDeps;

  constructor(deps: HoldsKeeperDeps) {
    this.#deps = deps;
  }

  /** Looks again and again until `stopped` is aborted; a look that fails is made again. */
  run(stopped: AbortSignal): Promise<void> {
    const { clock, log, rebuildLookMs } = this.#deps;
    return repeatUntil(stopped, {
      ...{ everyMs: rebuildLookMs, clock },
      work: () => this.look(stopped),
      failed(error) {
        if (!stopped.aborted) log.warn({ error }, 'the holds will be looked at again');
      },
    });
  }

  async look(stopped: AbortSignal): Promise<void> {
    const { governor, seen } = this.#deps;
    if (await governor.isFenced()) {
      seen({ kind: 'fenced' });
      await this.#rebuild(stopped);
    }
    if (await governor.isFenced()) return;
    seen({ kind: 'open', held: await governor.heldByDomain() });
  }

  async #rebuild(stopped: AbortSignal): Promise<void> {
    const { client, governor, clock, log, rebuildSettleMs } = this.#deps;
    const begun = await governor.beginRebuild();
    if (begun.kind === 'open') return;
    await clock.sleep(rebuildSettleMs, stopped);
    const open = await runningRepairs(client);
    let hosts = 0;
    for (const some of slices(open, askedAtOnce)) {
      const found = await Promise.all(some.map((id) => this.#insert(begun.token, id)));
      if (found.includes(null)) return;
      hosts += found.reduce<number>((sum, count) => sum + (count ?? 0), 0);
    }
    const isOpen = await governor.reopen(begun.token);
    if (isOpen) log.info({ remediations: open.length, hosts }, 'the held hosts are known again');
  }

  /** How many hosts the repair holds; null if this rebuild is over. Rejects if it cannot be asked. */
  async #insert(token: string, remediationId: string): Promise<number | null> {
    const { client, governor, log } = this.#deps;
    const handle = client.workflow.getHandle(remediationId);
    const hosts = hostsIn(await handle.query<HoldsView>(queryNames.holds));
    if (hosts.length === 0) return 0;
    const inserted = await governor.insert({ token, remediationId, hosts });
    if (inserted.kind === 'over') return null;
    for (const { agentId, by } of inserted.heldByOthers) {
      log.error({ agentId, by, remediationId }, 'two repairs say that they hold one host');
    }
    return hosts.length;
  }
}

function hostsIn({ places, services, hosts }: HoldsView): readonly HeldHost[] {
  return hosts.map(([agentId, place, service]) => {
    const domains = places[place];
    invariant(domains !== undefined, `a held host stands at a place of its table, not at ${place}`);
    const name = services[service] ?? null;
    return { agentId, domains, service: name, wasHealthy: name !== null };
  });
}
