import type { Redis } from 'ioredis';
import type { AdmitDeps, PlanDeps } from '../activities/index.ts';
import type { Config } from '../contracts/config.ts';
import { limits } from '../contracts/limits.ts';
import { selectAgents } from '../platform/agent-matchers.ts';
import type { Clock } from '../platform/clock.ts';
import type { Metrics } from '../platform/metrics.ts';
import { connectedAgents } from '../redis/connected-agents.ts';
import { controlCache } from '../redis/control-cache.ts';
import { Governor } from '../redis/governor.ts';
import { keptInventory } from '../redis/inventory.ts';
import { readTombstones } from '../redis/tombstones.ts';
import { standingStops } from './standing-stops.ts';

/**
 * What a repair's questions to Redis stand on, in both workers: that of workflows, which answers within a
 * workflow task, and that of the queue, where they wait while they cannot be answered.
 */
export function repairQuestions(of: {
  readonly redis: Redis;
  readonly config: Pick<Config, 'clocks' | 'guards'>;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly crash: AdmitDeps['crash'];
}): PlanDeps & AdmitDeps {
  const { redis, config, clock, metrics, crash } = of;
  const judged = metrics.counter(
    'fixpoint_admissions_total',
    'Hosts that were asked for, by how they were judged; a host that waits is judged again.',
    ['result'],
  );
  return {
    inventory: keptInventory(redis),
    tombstones: (fingerprints) => readTombstones(redis, fingerprints),
    select: selectAgents,
    targetsMax: limits.targetsMax,
    governor: new Governor({ redis, clock }),
    stops: standingStops(controlCache(redis)),
    connected: (agentIds) => {
      const sinceMs = clock.now() - config.clocks.agentLateMs;
      return connectedAgents(redis, { agentIds, sinceMs });
    },
    blastRadius: config.guards.blastRadius,
    judged: (result, hosts) => judged.inc({ result }, hosts),
    crash,
  };
}
