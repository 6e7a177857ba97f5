import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { type Ending, outcomeOf } from '../../../agent/job-outcome.ts';
import type { StopReason } from '../../../agent/journal-record.ts';
import { cancel } from '../../../contracts/frames.ts';
import { type FinalJobState, finalJobState } from '../../../contracts/task.ts';
import { reasonHints, retryClassOf } from '../../../domain/job.ts';

const root = new URL('../../../', import.meta.url);
const sourceOf = (folders: string): string =>
  globSync(`${folders}/**/*.ts`, { cwd: root.pathname })
    .map((file) => readFileSync(new URL(file, root), 'utf8'))
    .join('\n');
const all = sourceOf('{agent,agent-gateway,redis}');

type Found = { readonly state: string; readonly reason: string };

/** Reports as the source writes them down: `plainReport('refused', 'busy')` and the like. */
function writtenDown(): Found[] {
  const pairs = /(?:plainReport\(\s*|state: )'(\w+)',\s*(?:reason: )?'(\w+)'/g;
  const refusals = [...sourceOf('agent').matchAll(/\brefused\(([^()]*)\)/g)].flatMap(
    ([, inner = '']) => [...inner.matchAll(/'(\w+)'/g)],
  );
  return [
    ...[...all.matchAll(pairs)].map(([, state = '', reason = '']) => ({ state, reason })),
    ...refusals.map(([, reason = '']) => ({ state: 'refused', reason })),
    ...cancel.shape.reason.options.map((reason) => ({ state: 'cancelled', reason })),
  ];
}

/** What becomes of a script, for every way in which it may end. */
function ofScripts(): Found[] {
  const endings: Ending[] = [
    { kind: 'exit', status: 0, at: 1 },
    { kind: 'exit', status: 7, at: 1 },
    { kind: 'exit', status: 137, at: 1 },
    { kind: 'not_started', at: 1 },
    { kind: 'killed', signal: 'SIGKILL', at: 1 },
    { kind: 'lost', reason: 'agent_restarted', at: 1 },
    { kind: 'lost', reason: 'rebooted', at: 1 },
  ];
  const stops: (StopReason | undefined)[] = [
    ...(['timeout', 'overflow', 'operator', 'resolved', 'stop'] as const),
    undefined,
  ];
  const sizes = { stdout: 0, stderr: 0 };
  return endings.flatMap((ending) =>
    stops.flatMap((stop) => {
      const { state, reason } = outcomeOf({
        ...{ stop, ending, startedAt: 1, sizes, isCut: false, notes: [] },
      });
      return reason === null ? [] : [{ state, reason }];
    }),
  );
}

const isFinalState = (state: string): state is FinalJobState =>
  finalJobState.options.some((known) => known === state);

describe('reasons of jobs', () => {
  const found = [...writtenDown(), ...ofScripts()].filter(({ state }) => isFinalState(state));

  it('every reason in the code has a hint for the operator and a retry class', () => {
    assert.ok(new Set(found.map(({ reason }) => reason)).size > 20);
    for (const { state, reason } of found) {
      assert.ok(Object.hasOwn(reasonHints, reason), `${reason} has no hint`);
      if (isFinalState(state)) assert.ok(retryClassOf(state, reason), reason);
    }
  });

  it('every hint is about a reason that the code gives, in one line', () => {
    const given = new Set(found.map(({ reason }) => reason));
    for (const [reason, hint] of Object.entries(reasonHints)) {
      assert.ok(given.has(reason), `nothing ends with ${reason}`);
      assert.ok(hint.length > 20 && hint.length < 160 && !hint.includes('\n'), reason);
    }
  });
});
