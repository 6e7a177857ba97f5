import type { ControlState, ControlUpdate } from '../contracts/control.ts';
import { limits } from '../contracts/limits.ts';
import type { StandingStop } from '../contracts/stop.ts';
import { scopeText, stopOf, withoutStop, withStop } from '../domain/stop-scope.ts';

type Throw = ControlUpdate & { readonly stopped: boolean; readonly at: number };

/**
 * What throwing the switch changes: the one for everything, or a stop of its own for a scope. Neither
 * lifts the other: whoever allows everything does not overrule who stopped a policy.
 */
export function thrown(state: ControlState, of: Throw): Partial<ControlState> {
  const { stopped, by, reason, at, scope } = of;
  if (scope === undefined) return { stopped, reason, by, at };
  const { stops = [] } = state;
  return {
    stops: stopped ? withStop(stops, { scope, reason, by, at }) : withoutStop(stops, scope),
  };
}

/** Throws if no more may be stopped one by one. */
export function refuseTooManyStops({ stops = [] }: ControlState, { scope }: ControlUpdate): void {
  if (scope === undefined || stops.length < limits.stopsMax) return;
  if (stopOf(stops, scope) !== null) return;
  throw new Error(`${limits.stopsMax} stops stand; allow some, or stop everything with --all`);
}

/** Rows that Temporal UI shows of them. */
const rowsMax = 40;

/** Markdown: who stopped what, since when and why. */
export function stopsTable(stops: readonly StandingStop[]): readonly string[] {
  if (stops.length === 0) return [];
  const rows = stops.slice(-rowsMax).map(({ scope, by, at, reason }) => {
    const cells = [scopeText(scope), by, new Date(at).toISOString(), reason || 'no reason given'];
    return `| ${cells.map(plain).join(' | ')} |`;
  });
  const others = stops.length - rows.length;
  return [
    ...['', '| stopped | by | since | why |', '| --- | --- | --- | --- |', ...rows, ''],
    ...(others === 0 ? [] : [`and ${others} older ones`, '']),
  ];
}

/** Nothing that an operator wrote may become markup. */
const plain = (text: string): string =>
  text
    .slice(0, 200)
    .replace(/[\r\n]+/g, ' ')
    .replace(/[|`*_[\]<>\\]/g, (mark) => `\\${mark}`);
