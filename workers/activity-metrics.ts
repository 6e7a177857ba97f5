import type { ControlState } from '../contracts/control.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { HoldsKeeperDeps } from './holds-keeper.ts';

/** What activities count: how repairs ended, and what is held now. */
export function activityMetrics(metrics: Metrics): {
  readonly ended: (of: { policy: string; state: string; seconds: number }) => void;
  readonly escalated: (result: 'delivered' | 'failed' | 'dead') => void;
  readonly holdsSeen: HoldsKeeperDeps['seen'];
  readonly controlSeen: (state: ControlState) => void;
} {
  const ended = metrics.counter('fixpoint_remediations_total', 'Repairs that ended.', [
    'policy',
    'state',
  ]);
  const took = metrics.histogram('fixpoint_remediation_seconds', 'From start to end of a repair.');
  const escalated = metrics.counter(
    'fixpoint_escalations_total',
    'Tries to tell a person of a repair by how they went, and `dead` for each that nobody took.',
    ['result'],
  );
  const held = metrics.gauge(
    'fixpoint_hosts_held',
    'Hosts that repairs have touched and not yet proven, by fault domain.',
    ['domain'],
  );
  const fenced = metrics.gauge(
    'fixpoint_governor_fenced',
    '1 while nobody is admitted, because Redis may have lost which hosts are held.',
  );
  const breakers = metrics.gauge(
    'fixpoint_breakers_open',
    'Policies that start no repair, or only one that tries, because theirs failed or a person said so.',
  );
  return {
    controlSeen: (state) => breakers.set(state.breakers?.length ?? 0),
    ended({ policy, state, seconds }) {
      ended.inc({ policy, state });
      took.observe(seconds);
    },
    escalated: (result) => escalated.inc({ result }),
    holdsSeen(now) {
      fenced.set(now.kind === 'fenced' ? 1 : 0);
      held.reset();
      if (now.kind === 'fenced') return;
      for (const [domain, hosts] of now.held) held.set({ domain }, hosts);
    },
  };
}
