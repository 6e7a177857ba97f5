import type { PlanDomains } from '../contracts/admission.ts';
import type { FrozenHttpProbe, FrozenScript, FrozenStep } from '../contracts/frozen.ts';
import { limits } from '../contracts/limits.ts';
import type { HeldReason, PlannedTarget, RemediationInput } from '../contracts/temporal.ts';
import { hostsPerDomain } from './fault-domains.ts';
import { labelsInUrl } from './probe-url.ts';
import { fillTargets, labelsOfTarget } from './script-values.ts';
import { stepBatches } from './step-batches.ts';
import { actionBytes, jsonBytes, targetBytes } from './submit-size.ts';

/** A repair whose hosts are known, begun or not. */
export type PlannedRepair = {
  readonly input: RemediationInput;
  readonly targets: readonly PlannedTarget[];
  readonly domains: PlanDomains | null;
  /** Whether the alerts of all its hosts are over, or those were left out. */
  isNobodyLeft(): boolean;
  /** What it would carry into a fresh history. */
  carried(next: { readonly step: number; readonly batch: number }): unknown;
};

export type StartRefusal =
  | { readonly kind: 'superseded' }
  | { readonly kind: 'held'; readonly reason: HeldReason; readonly detail: string };

/**
 * Why a plan is not begun, or null: resolved while it was planned (invariant 7), a script that cannot
 * be filled in, a cap that it could never keep, or batches that no submit can hold. Asked for all steps
 * before the first runs, so that no repair stops half-way for something that was known.
 */
export function whyNothingStarts(run: PlannedRepair): StartRefusal | null {
  if (run.isNobodyLeft()) return { kind: 'superseded' };
  return unfillable(run) ?? overCap(run) ?? tooLarge(run);
}

const held = (reason: HeldReason, detail: string): StartRefusal => ({
  kind: 'held',
  reason,
  detail,
});

function unfillable(run: PlannedRepair): StartRefusal | null {
  const { steps, verify } = run.input.runbook;
  const probes = steps.flatMap(({ probe }) => probe ?? []);
  const proof = verify.probe !== null && 'script' in verify.probe ? [verify.probe] : [];
  const undos = steps.flatMap(({ rollback }) => rollback ?? []);
  const scripts = [...steps, ...probes, ...proof, ...undos];
  for (const { script } of scripts) {
    const filled = fillTargets({ script, targets: run.targets, episodes: run.input.episodes });
    if (filled.kind === 'refused') return held(filled.reason, filled.detail);
  }
  return verify.probe !== null && 'http' in verify.probe ? urlless(run, verify.probe) : null;
}

/** A host whose alerts do not give the labels that the page's url needs. */
function urlless(run: PlannedRepair, { http }: FrozenHttpProbe): StartRefusal | null {
  const names = labelsInUrl(http.url);
  for (const target of run.targets) {
    const found = labelsOfTarget({ names, target, episodes: run.input.episodes });
    if (found.kind === 'refused') return held(found.reason, found.detail);
  }
  return null;
}

/**
 * Whether hosts can be proven while others still wait: then what they hold is free for those. Of
 * several steps the probe says nothing before the last one.
 */
export const provesBetween = (run: PlannedRepair): boolean =>
  run.input.runbook.steps.length === 1 && run.input.runbook.verify.probe !== null;

/** More hosts of a domain than may be held at once, and none of them is proven before the end. */
function overCap(run: PlannedRepair): StartRefusal | null {
  const { domains } = run;
  if (domains === null || provesBetween(run)) return null;
  for (const [name, count] of hostsPerDomain(domains).entries()) {
    const cap = domains.caps[name] ?? null;
    if (cap === null || count <= cap) continue;
    return held(
      'cap_reached',
      `${count} hosts are in ${domains.names[name]}, of whose ${domains.sizes[name]} agents ${cap} may be held at once; raise guards.blastRadius, or use a runbook of one step with a verify.probe, which proves hosts before it goes on`,
    );
  }
  return null;
}

function tooLarge(run: PlannedRepair): StartRefusal | null {
  if (run.domains === null) return null;
  const carriedBytes = jsonBytes(run.input) + jsonBytes(run.carried({ step: 0, batch: 0 }));
  if (carriedBytes > limits.carriedBytesMax) {
    return held(
      'limit_exceeded',
      `${run.targets.length} hosts and ${run.input.episodes.length} alerts are ${carriedBytes} bytes, ${limits.carriedBytesMax} may be carried on; split the policy, or make group.max smaller`,
    );
  }
  const everyone = run.targets.map((_, position) => position);
  for (const step of run.input.runbook.steps) {
    const batches = stepBatches(run, step, everyone);
    if (batches.kind === 'too_many_batches') {
      return held(
        'too_many_batches',
        `step ${step.name}: ${limits.rolloutBatchesMax} batches may be, and ${batches.hostsLeft} hosts would have none; make rollout.batches larger`,
      );
    }
    const flaw = batchTooLarge(run, step, batches.batches);
    if (flaw !== null) return flaw;
  }
  return null;
}

function batchTooLarge(
  run: PlannedRepair,
  step: FrozenStep,
  batches: readonly (readonly number[])[],
): StartRefusal | null {
  const scripts: readonly FrozenScript[] = step.probe
    ? [step.script, step.probe.script]
    : [step.script];
  for (const [at, { length }] of batches.entries()) {
    if (length <= limits.batchHostsMax) continue;
    return held(
      'limit_exceeded',
      `step ${step.name}, batch ${at + 1}: ${length} hosts, ${limits.batchHostsMax} may be in one; make rollout.batches smaller`,
    );
  }
  for (const script of scripts) {
    const filled = fillTargets({ script, targets: run.targets, episodes: run.input.episodes });
    if (filled.kind === 'refused') return held(filled.reason, filled.detail);
    const bytes = targetBytes(filled.targets);
    for (const [at, positions] of batches.entries()) {
      const sum = positions.reduce(
        (soFar, position) => soFar + (bytes[position] ?? 0),
        actionBytes(script.action),
      );
      if (sum <= limits.submitBytesMax) continue;
      return held(
        'limit_exceeded',
        `step ${step.name}, batch ${at + 1}: its ${positions.length} hosts with their values are ${sum} bytes, ${limits.submitBytesMax} may be in one submit; make rollout.batches smaller`,
      );
    }
  }
  return null;
}
