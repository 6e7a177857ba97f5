import type { PlanDomains } from '../contracts/admission.ts';
import type { FrozenStep } from '../contracts/frozen.ts';
import { limits } from '../contracts/limits.ts';
import { parseBatchExpression } from './batch-expression.ts';
import { batchesOf } from './batch-ledger.ts';
import { type BatchPlan, planBatches } from './batch-plan.ts';
import { invariant } from './errors.ts';

/**
 * Which of the hosts at `positions` a step handles together, as positions in the plan: the sizes of its
 * expression, spread over fault domains, never above a cap. The same hosts give the same batches.
 */
export function stepBatches(
  run: { readonly domains: PlanDomains | null },
  step: FrozenStep,
  positions: readonly number[],
): BatchPlan {
  const { expression, batchSize } = step.rollout;
  const { domains } = run;
  const inPlan = (at: readonly number[]) => at.flatMap((index) => positions[index] ?? []);
  if (expression === undefined) {
    const batches = batchesOf(positions.length, batchSize ?? limits.batchHostsDefault);
    return { kind: 'planned', batches: batches.map(inPlan) };
  }
  const parsed = parseBatchExpression(expression);
  invariant(parsed.kind === 'parts', 'an expression was read before it was frozen');
  const caps = new Map(
    domains?.names.map((name, at) => [name, domains.caps[at] ?? Number.POSITIVE_INFINITY]),
  );
  const places = domains?.places.map((place) => place.map((name) => domains.names[name] ?? ''));
  const plan = planBatches({
    hosts: positions.map((position) => ({
      domains: places?.[domains?.of[position] ?? -1] ?? [],
    })),
    parts: parsed.parts,
    capOf: (domain) => caps.get(domain) ?? Number.POSITIVE_INFINITY,
  });
  if (plan.kind === 'too_many_batches') return plan;
  return { kind: 'planned', batches: plan.batches.map(inPlan) };
}
