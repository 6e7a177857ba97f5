import type { FastifyInstance } from 'fastify';
import type { Alert } from '../contracts/alert.ts';
import { type PolicyTestAnswer, policyTestBody } from '../contracts/http.ts';
import { FixpointError } from '../domain/errors.ts';
import { groupIdOf } from '../domain/ids.ts';
import { groupOf, verdictsOf } from '../domain/policy-match.ts';
import { sha256 } from '../platform/digest.ts';
import type { LoadedPolicy } from '../platform/policy-files.ts';
import { bodyOf } from './body.ts';
import { type TrialDeps, trialOf } from './policy-trial.ts';
import { parseAlertmanager } from './sources/alertmanager.ts';

/** The policies this api was started with, and which of them would take an alert. */
export function policyRoutes(app: FastifyInstance, deps: TrialDeps): void {
  const { policies } = deps.policies;
  app.get('/v1/policies', async () => ({
    items: policies.map((policy) => ({
      id: policy.name,
      state: 'loaded',
      name: policy.name,
      digest: policy.frozen.digest,
      source: policy.source,
      matchers: policy.matchers.map(({ text }) => text),
      runbook: policy.spec.runbook,
      targets: targetsText(policy),
      continue: policy.continues,
    })),
    next: null,
  }));
  app.post('/v1/policies/test', async (request): Promise<PolicyTestAnswer> => {
    const body = bodyOf(request, policyTestBody);
    const alerts = body.body === undefined ? null : alertsIn(body.body, deps.clock.now());
    const labels = alerts?.[0]?.labels ?? Object.entries(body.labels ?? {});
    const verdicts = verdictsOf({ source: body.source, labels }, policies);
    return {
      items: verdicts.map((verdict) => ({
        policy: verdict.policy.name,
        runbook: verdict.policy.spec.runbook,
        verdict: verdict.kind,
        matcher: verdict.kind === 'matcher' ? verdict.matcher : null,
        groupId: groupIdOf(groupOf(verdict.policy.spec.group.by, labels), sha256),
        targets: targetsText(verdict.policy),
      })),
      ...(alerts === null ? {} : await trialOf(deps, alerts)),
    };
  });
}

/** Exactly what a webhook would take in. Throws `invalid_payload` with what it would quarantine. */
function alertsIn(body: unknown, nowMs: number): readonly Alert[] {
  const receivedAt = new Date(nowMs).toISOString();
  const { alerts, quarantined } = parseAlertmanager(Buffer.from(JSON.stringify(body)), receivedAt);
  if (quarantined.length === 0 && alerts.length > 0) return alerts;
  throw new FixpointError(
    'invalid_payload',
    'the body has no alerts, or some that are not usable',
    {
      flaws: quarantined.map(({ index, entry }) => ({
        field: index < 0 ? entry.field : `alerts.${index}.${entry.field}`,
        ...{ value: entry.value, fix: entry.reason },
      })),
      hint: 'it must be what Alertmanager posts, version "4"; `fixpoint alert send --demo … --print` prints one',
    },
  );
}

function targetsText({ frozen }: LoadedPolicy): string {
  const { from, select } = frozen.targets;
  if (from === null) return `agents with ${(select ?? []).join(' and ')}`;
  const by = from.by.startsWith('label:') ? `label ${from.by.slice('label:'.length)}` : from.by;
  const strip = from.strip === 'port' ? ' (without port)' : '';
  return `label ${from.label}${strip} is the agent's ${by}`;
}
