import { z } from 'zod';
import { approvalSpec } from './approval.ts';
import { duration } from './duration.ts';
import {
  breakerSpec,
  confirmForSpec,
  flapSpec,
  maintenanceSpec,
  massHostsSpec,
  shieldSpec,
} from './guards.ts';
import { limits } from './limits.ts';
import { resourceName } from './runbook.ts';
import { cap, share } from './share.ts';

const agentLabel = z.string().min(1).max(limits.labelNameBytes);
const matcherText = z.string().min(1).max(4096);

/** From an alert's label to a host (design 5.2). */
export const targetsFrom = z.strictObject({
  label: z.string().min(1).max(limits.labelNameBytes),
  /** `port`: `web1:9100` means host `web1`; IPv6 in brackets works. */
  strip: z.enum(['port', 'none']).default('none'),
  by: z.string().regex(/^(hostname|ip|agentId|label:.+)$/, {
    error: 'must be hostname, ip, agentId or label:<name of an agent label>',
  }),
});

export const targetsSpec = z
  .strictObject({
    from: targetsFrom.optional(),
    /** Agents by their own labels, as matchers. */
    select: z.array(matcherText).min(1).max(32).optional(),
    onMissing: z.enum(['refuse', 'skip']).default('refuse'),
    /** Labels of agents that make fault domains, the widest first. */
    domainBy: z.array(agentLabel).min(1).max(4).default(['zone']),
  })
  .refine((targets) => (targets.from === undefined) !== (targets.select === undefined), {
    error: 'needs exactly one of "from" and "select"',
  });

export const guardsSpec = z.strictObject({
  /** Hosts of one repair, or a percentage of all enrolled agents, rounded down. */
  maxTargets: share.optional(),
  /** Hosts of a fault domain held at once, or of its enrolled agents, rounded down, at least 1. */
  blastRadius: cap.optional(),
  /** Healthy hosts of a service that stay untouched, or of its enrolled agents, rounded up. */
  floor: share.optional(),
  cooldown: duration.default(900_000),
  maxRuns: z
    .strictObject({ count: z.int().min(1).max(1_000), window: duration })
    .default({ count: 3, window: 3_600_000 }),
  shield: shieldSpec,
  maintenance: maintenanceSpec,
  flap: flapSpec,
  confirmFor: confirmForSpec,
  massHosts: massHostsSpec,
  breaker: breakerSpec,
});

/**
 * What makes a resolved believable: an alert of the same source that always fires, as Prometheus'
 * `Watchdog`, and how long after the resolved it may take to be heard again.
 */
export const verifySourceSpec = z.strictObject({
  source: z.strictObject({
    watchdog: z.strictObject({
      alertname: z.string().min(1).max(limits.labelValueBytes),
      within: duration.default(300_000),
    }),
  }),
});

/** Who is told when a repair ends so, by a webhook that is signed as Standard Webhooks says. */
export const escalationSpec = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: 'must be a url of http or https' }).max(2_048),
  on: z
    .array(z.enum(['failed', 'rolled_back', 'expired', 'held']))
    .min(1)
    .default(['failed', 'rolled_back', 'expired']),
});

/** `kind: Policy` of `fixpoint/v1` (design 5.3). Unknown keys are refused. */
export const policySpec = z
  .strictObject({
    apiVersion: z.literal('fixpoint/v1'),
    kind: z.literal('Policy'),
    /** `manual` is the name of runs by hand. */
    name: resourceName.refine((name) => name !== 'manual', {
      error: '"manual" stands for runs by hand; choose another name',
    }),
    match: z.strictObject({
      source: z.literal('alertmanager'),
      matchers: z.array(matcherText).max(32).default([]),
    }),
    group: z
      .strictObject({
        by: z.array(z.string().min(1).max(limits.labelNameBytes)).max(16).default([]),
        wait: duration.default(5_000),
        max: z.int().min(1).max(limits.mailboxEpisodesMax).default(500),
      })
      .prefault({}),
    targets: targetsSpec,
    autonomy: z.enum(['observe', 'approve', 'auto']).default('approve'),
    approval: approvalSpec.optional(),
    guards: guardsSpec.prefault({}),
    runbook: resourceName,
    verify: verifySourceSpec.optional(),
    escalation: escalationSpec.optional(),
    onResolved: z.enum(['drop', 'continue']).default('drop'),
    continue: z.boolean().default(false),
  })
  .refine(({ autonomy, approval }) => approval === undefined || autonomy === 'approve', {
    path: ['approval'],
    error: 'needs autonomy: approve',
  });
export type PolicySpec = z.infer<typeof policySpec>;

/**
 * Keys and values of the design that this version does not have yet: they are refused by name,
 * because a guard that is written down but does nothing is worse than none. Paths as in YAML,
 * list positions as `*`.
 */
export const notSupported: Readonly<Record<'Policy' | 'Runbook', readonly string[]>> = {
  Policy: [
    'when',
    'domainBy',
    'notify',
    'match.source=grafana',
    'match.source=pagerduty',
    'match.source=datadog',
    'match.source=cloudevents',
    'match.source=zabbix',
    'match.source=gse',
    'match.source=agent',
  ],
  Runbook: ['when', 'steps.*.when', 'steps.*.file', 'verify.resolved'],
};
