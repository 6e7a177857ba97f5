// Stops of a part of what may start: one policy's repairs, or the hosts of one fault domain. The
// switch for everything is beside them, and holds whatever they say.

import type { ControlState } from '../contracts/control.ts';
import type { GuardRefusal } from '../contracts/guard-refusal.ts';
import type { StandingStop, StopScope } from '../contracts/stop.ts';

type Stops = readonly StandingStop[];

/** `policy restart-web`, `zone=eu-1` or `everything`: how people and metrics name it. */
export function scopeText(scope: StopScope | null): string {
  if (scope === null) return 'everything';
  return scope.policy === undefined ? scope.domain : `policy ${scope.policy}`;
}

/** Who stopped what and why, in one sentence. */
export const stopText = ({ scope, by, reason }: StandingStop): string =>
  `${scopeText(scope)} is stopped by ${by || 'nobody'}: ${reason || 'no reason given'}`;

function scopeOption(scope: StopScope | null): string {
  if (scope === null) return '--all';
  return scope.policy === undefined ? `--domain ${scope.domain}` : `--policy ${scope.policy}`;
}

/** How to lift it again. */
export function allowCommand(scope: StopScope | null): string {
  return `fixpoint control allow ${scopeOption(scope)} --reason …`;
}

/** All that is stopped, the switch for everything first. */
export const stopsOf = ({ stopped, reason, by, at, stops = [] }: ControlState): Stops =>
  stopped ? [{ scope: null, reason, by, at }, ...stops] : stops;

const isSame = (left: StopScope | null, right: StopScope): boolean =>
  left !== null && left.policy === right.policy && left.domain === right.domain;

/** The stop that stands for exactly this scope, or null. */
export const stopOf = (stops: Stops, scope: StopScope): StandingStop | null =>
  stops.find((stop) => isSame(stop.scope, scope)) ?? null;

/** The stop that keeps every repair of a policy from starting anything: its own or that of everything. */
export const stopOfPolicy = (stops: Stops, policy: string | null): StandingStop | null =>
  stops.find(({ scope }) => scope === null || (policy !== null && isSame(scope, { policy }))) ??
  null;

/** The first stop of a fault domain that a host with these labels stands in, or null. */
export const stopOfHost = (
  stops: Stops,
  labelOf: (name: string) => string | undefined,
): StandingStop | null =>
  stops.find(({ scope }) => scope?.domain !== undefined && isIn(scope.domain, labelOf)) ?? null;

function isIn(domain: string, labelOf: (name: string) => string | undefined): boolean {
  const at = domain.indexOf('=');
  return at > 0 && labelOf(domain.slice(0, at)) === domain.slice(at + 1);
}

/** With one more; one that stands keeps its first reason and owner. */
export const withStop = (
  stops: Stops,
  stop: StandingStop & { readonly scope: StopScope },
): Stops => (stopOf(stops, stop.scope) === null ? [...stops, stop] : stops);

/** Without that of this scope. */
export const withoutStop = (stops: Stops, scope: StopScope): Stops =>
  stops.filter((stop) => !isSame(stop.scope, scope));

/**
 * The policy whose repair a task belongs to, by its idempotency key or reference (names 2); null of a
 * task that is no repair's of a policy.
 */
export const policyOfTask = (key: string): string | null => repairId.exec(key)?.[1] ?? null;

/** A manual run's id ends otherwise, so none is taken for one of a policy called `manual`. */
const repairId = /^remediation:([^:/]+):[^:/]+:[0-9a-f]{8}-\d+(?:\/|$)/;

/** Within this time after it was refused, a policy is not asked again whether it is still stopped. */
const askedAgainMs = 60_000;

/** Why no repair of a stopped policy starts. */
export const stopRefusal = (stop: StandingStop, nowMs: number): GuardRefusal => ({
  reason: 'stopped',
  detail: `${stopText(stop)}, since ${new Date(stop.at).toISOString()}; no repair of it starts and 0 batches may run until \`${allowCommand(stop.scope)}\`; what fires after that is repaired`,
  untilMs: nowMs + askedAgainMs,
});
