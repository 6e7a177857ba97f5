import { condition } from '@temporalio/workflow';
import type { FrozenWatchdog } from '../contracts/frozen.ts';
import { core } from './activity-proxies.ts';
import type { RunState } from './run-state.ts';

export type Liveness =
  | { readonly kind: 'alive' }
  /** An alert fires again, so there is no resolved to be believed. */
  | { readonly kind: 'returned' }
  | { readonly kind: 'silent'; readonly reason: string };

/**
 * Whether a source that said resolved lives: its watchdog is heard again after that. That it was heard
 * before proves nothing, because Alertmanager sends resolved for all alerts of a source that went
 * silent minutes ago, and until then it sends the watchdog too.
 */
export async function sourceLiveness(run: RunState, watchdog: FrozenWatchdog): Promise<Liveness> {
  const { watchdogLagMs, watchdogLookMs } = run.input.clocks;
  const { source, alertname } = watchdog;
  const aliveFromMs = run.resolvedAtMs + watchdogLagMs;
  const endMs = aliveFromMs + watchdog.withinMs;
  // Some ten looks at most, so that a history does not grow with `within`.
  const lookMs = Math.max(watchdogLookMs, watchdog.withinMs / 10);
  for (let waitMs = aliveFromMs - Date.now(); ; waitMs = lookMs) {
    const isBack = await condition(() => !run.allResolved(), Math.max(1, waitMs), {
      summary: `watchdog ${alertname.slice(0, 40)} is awaited from ${source}`,
    });
    if (isBack) return { kind: 'returned' };
    const heardMs = await core.watchdogHeard({ source, alertname });
    if (heardMs !== null && heardMs >= aliveFromMs) return { kind: 'alive' };
    if (Date.now() >= endMs) return { kind: 'silent', reason: silence(watchdog, heardMs) };
  }
}

function silence({ source, alertname }: FrozenWatchdog, heardMs: number | null): string {
  const since =
    heardMs === null
      ? `has never sent ${alertname}`
      : `has been silent since ${new Date(heardMs).toISOString()}`;
  return `the source ${source} ${since}: silence is not health`;
}
