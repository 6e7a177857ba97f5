import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Refusal } from '../../../contracts/admission.ts';
import type { GuardRefusal } from '../../../contracts/guard-refusal.ts';
import { defaultClocks, limits } from '../../../contracts/limits.ts';
import type { Storm } from '../../../contracts/storm.ts';
import type { HeldReason, Plan } from '../../../contracts/temporal.ts';
import { breakerRefusal } from '../../../domain/breaker-refusal.ts';
import { flappingRefusal } from '../../../domain/flapping-refusal.ts';
import { planFailureText } from '../../../domain/plan-failure.ts';
import { refusalsInWords, remedyFor } from '../../../domain/refusal-words.ts';
import { fillTargets } from '../../../domain/script-values.ts';
import { stopRefusal } from '../../../domain/stop-scope.ts';
import { stormRefusal } from '../../../domain/storm-refusal.ts';
import { selectTargets } from '../../../domain/target-selection.ts';
import { selectAgents } from '../../../platform/agent-matchers.ts';
import { PolicyStore } from '../../../workers/policy-store.ts';
import { aRemediation, aStep, someTargets } from '../../support/builders.ts';
import { aPolicyText, policySet } from '../../support/policy-set.ts';

const agent = (agentId: string, hostname: string) => ({
  agentId,
  journalId: 'j'.repeat(26),
  labels: new Map([
    ['name', agentId],
    ['hostname', hostname],
  ]),
});
const [episode] = aRemediation().episodes;
if (episode === undefined) throw new Error('the sample has an episode');
const from = { label: 'instance', strip: 'port', by: 'hostname' } as const;

const detailOf = (plan: Plan | ReturnType<typeof fillTargets>): string =>
  'detail' in plan ? plan.detail : 'it was not refused';
const selecting = (of: Partial<Parameters<typeof selectTargets>[0]>) =>
  detailOf(
    selectTargets({
      targets: { from, select: null, onMissing: 'refuse' },
      episodes: [{ ...episode, labels: [['instance', 'web1:9100']] }],
      agents: [agent('a', 'web2')],
      select: selectAgents,
      targetsMax: limits.targetsMax,
      ...of,
    }),
  );
const filling = (values: readonly string[]) => {
  const { script } = aStep();
  const action = { ...script.action, args: ['$' + '{labels.service}'] };
  return detailOf(
    fillTargets({
      script: { ...script, action },
      targets: someTargets(1).map(({ episodes: _, ...target }) => target),
      episodes: values.map((value) => ({ ...episode, labels: [['service', value]] })),
    }),
  );
};
const admission = (refusal: Refusal) =>
  `${refusalsInWords([refusal])}; ${remedyFor(refusal.reason)}`;
const stop = { scope: { policy: 'web' }, reason: 'worse', by: 'ada', at: 1 };

/** Every refusal of a repair, as the rule that refuses words it. */
const texts: Readonly<
  Record<
    | Exclude<HeldReason, 'too_many_batches' | 'limit_exceeded' | 'observed'>
    | Exclude<GuardRefusal['reason'], 'maintenance'>,
    () => string
  >
> = {
  no_target: () => selecting({}),
  ambiguous_target: () => selecting({ agents: [agent('a', 'web1'), agent('b', 'web1')] }),
  missing_label: () => selecting({ episodes: [{ ...episode, labels: [] }] }),
  ambiguous_label: () => filling(['a', 'b']),
  inventory_incomplete: () =>
    planFailureText('the inventory is not complete', defaultClocks.planMs),
  plan_failed: () => planFailureText('no answer in time', defaultClocks.planMs),
  too_many_targets: () => selecting({ targetsMax: 0, agents: [agent('a', 'web1')] }),
  busy: () => admission({ reason: 'busy', by: 'remediation:x', hosts: 2 }),
  cap_reached: () =>
    admission({ reason: 'cap_reached', domain: 'zone=a', limit: 1, used: 1, hosts: 2 }),
  floor: () => admission({ reason: 'floor', service: 'web', floor: 5, available: 5, hosts: 1 }),
  stopped: () => admission({ reason: 'stopped', stop, hosts: 2 }),
  mass: () =>
    stormRefusal(
      { hosts: 30, limit: 20, limitText: '20', domain: null, untilMs: 1 } as Storm,
      60_000,
    ).detail,
  breaker: () =>
    breakerRefusal(
      {
        ...{ policy: 'web', by: 'fixpoint', at: 0, untilMs: 2, openForMs: 2, canary: null },
        reason: '3 repairs failed within 1h, guards.breaker opens at 3',
      },
      1,
    ).detail,
  flapping: () =>
    flappingRefusal(
      { fingerprint: 'f', changes: 6, untilMs: 1 },
      { flap: { changes: 5, windowMs: 60_000 }, name: 'Down' },
    ).detail,
};

const limit = /\b(?:may|must|allows|match|held by|is stopped by)\b/;
const use = /\d/;
const remedy = /; .*\b(?:enrol|write|let|group by|send|see|split|goes on when|damp|raise)\b/;

describe('every refusal of a repair', () => {
  for (const [reason, text] of Object.entries(texts)) {
    it(`${reason} names the limit, the use of it and what to do`, () => {
      assert.match(text(), limit);
      assert.match(text(), use);
      assert.match(text(), remedy);
    });
  }

  it('other ways to find no host or no value are told as fully', () => {
    for (const text of [
      selecting({ targets: { from: null, select: ['zone="x"'], onMissing: 'refuse' } }),
      selecting({ targets: { from: null, select: [], onMissing: 'refuse' } }),
      filling([]),
      stopRefusal(stop, 1).detail,
    ]) {
      assert.match(text, use);
      assert.match(text, /; |: none never/);
    }
  });

  it('a window of maintenance is told with its rule and its end', async () => {
    const set = await policySet(
      aPolicyText('web', 'guards: { maintenance: [{ cron: "* * * * *", for: 2m }] }'),
    );

    const refusal = new PolicyStore(set).maintenanceAt('web', 1_800_000_000_000);

    assert.match(
      refusal?.detail ?? '',
      /guards.maintenance "\* \* \* \* \*".* until 2027-.*repaired/,
    );
  });
});
