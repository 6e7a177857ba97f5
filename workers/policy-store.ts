import type { FrozenPolicy, FrozenRunbook } from '../contracts/frozen.ts';
import type { GuardRefusal } from '../contracts/guard-refusal.ts';
import type { MailboxSettings } from '../contracts/temporal.ts';
import { openWindow } from '../domain/maintenance.ts';
import { namesUsed } from '../domain/value-names.ts';
import type { LoadedPolicy, PolicySet } from '../platform/policy-files.ts';

/** What a repair freezes when it starts. */
export type PolicyForRepair = {
  readonly policy: FrozenPolicy;
  readonly settings: MailboxSettings;
  readonly runbook: FrozenRunbook;
};

/** The policies this program was started with. */
export class PolicyStore {
  readonly #set: PolicySet;
  /** Names of annotations that the runbook of a policy asks for. */
  readonly #annotations: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(set: PolicySet) {
    this.#set = set;
    this.#annotations = new Map(
      set.policies.map(({ name, spec }) => [
        name,
        new Set(namesUsed(set.runbooks.get(spec.runbook), 'annotations')),
      ]),
    );
  }

  /** In file order, which decides who takes an alert (rule X8). */
  get policies(): readonly LoadedPolicy[] {
    return this.#set.policies;
  }

  /** Annotations that a repair of the policy may carry, because its scripts ask for them. */
  annotationsOf(name: string): ReadonlySet<string> {
    return this.#annotations.get(name) ?? new Set();
  }

  /** Whether an alert is there for nothing but to show that its source lives. */
  isWatchdog({ source, name }: { readonly source: string; readonly name: string }): boolean {
    return this.#set.policies.some(
      ({ frozen: { watchdog } }) => watchdog?.source === source && watchdog.alertname === name,
    );
  }

  /** What the policy's own windows say about starting now; null if none is open. */
  maintenanceAt(name: string, nowMs: number): GuardRefusal | null {
    const policy = this.#set.policies.find((found) => found.name === name);
    const open = policy === undefined ? null : openWindow(policy.maintenance, nowMs);
    if (open === null) return null;
    const until = new Date(open.untilMs).toISOString();
    return {
      reason: 'maintenance',
      detail: `guards.maintenance ${open.window.text} lets no repair start until ${until}; what fires after that is repaired`,
      untilMs: open.untilMs,
    };
  }

  /** A policy with its runbook; undefined when it was removed since its mailbox began. */
  find(name: string): PolicyForRepair | undefined {
    const found = this.#set.policies.find((policy) => policy.name === name);
    const runbook = found && this.#set.runbooks.get(found.spec.runbook);
    return found && runbook
      ? { policy: found.frozen, settings: found.settings, runbook }
      : undefined;
  }
}
