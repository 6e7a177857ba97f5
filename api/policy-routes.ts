import type { FastifyInstance } from 'fastify';
import { type PolicyTestAnswer, policyTestBody } from '../contracts/http.ts';
import { groupIdOf } from '../domain/ids.ts';
import { groupOf, verdictsOf } from '../domain/policy-match.ts';
import { sha256 } from '../platform/digest.ts';
import type { LoadedPolicy, PolicySet } from '../platform/policy-files.ts';
import { bodyOf } from './body.ts';

/** The policies this api was started with, and which of them would take an alert. */
export function policyRoutes(app: FastifyInstance, deps: { readonly policies: PolicySet }): void {
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
    const labels = Object.entries(body.labels);
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
    };
  });
}

function targetsText({ frozen }: LoadedPolicy): string {
  const { from, select } = frozen.targets;
  if (from === null) return `agents with ${(select ?? []).join(' and ')}`;
  const by = from.by.startsWith('label:') ? `label ${from.by.slice('label:'.length)}` : from.by;
  const strip = from.strip === 'port' ? ' (without port)' : '';
  return `label ${from.label}${strip} is the agent's ${by}`;
}
