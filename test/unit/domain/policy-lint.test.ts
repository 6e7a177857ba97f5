import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseMatcher } from '../../../domain/matchers.ts';
import {
  type LintedPolicy,
  type LintedRunbook,
  lintPolicies,
} from '../../../domain/policy-lint.ts';
import { compileExpression } from '../../../platform/regular-expression.ts';

const matchersOf = (...texts: readonly string[]) =>
  texts.map((text) => {
    const parsed = parseMatcher(text, compileExpression);
    assert.ok(parsed.kind === 'parsed', text);
    return parsed.matcher;
  });
const aPolicy = (name: string, over: Partial<LintedPolicy> = {}): LintedPolicy => ({
  name,
  source: 'alertmanager',
  matchers: matchersOf(`alertname="${name}"`),
  continues: false,
  from: 'instance by hostname',
  select: null,
  runbook: 'restart-web',
  cooldownMs: 900_000,
  blastRadius: null,
  hasWatchdog: false,
  ...over,
});
const aRunbook = (over: Partial<LintedRunbook> = {}): LintedRunbook => ({
  name: 'restart-web',
  hasProbe: true,
  batches: ['1 10%'],
  maxFailures: [0],
  ...over,
});
const rulesOf = (...policies: readonly LintedPolicy[]): string[] =>
  lintPolicies(policies, [aRunbook()]).map(({ rule, name }) => `${name} ${rule}`);
const matching = (name: string, ...texts: readonly string[]): LintedPolicy =>
  aPolicy(name, { matchers: matchersOf(...texts) });
const selecting = (name: string, ...texts: readonly string[]): LintedPolicy =>
  aPolicy(name, { from: null, select: matchersOf(...texts) });

describe('what is seldom meant in policies', () => {
  it('a bounded policy with a cooldown and a probe has no finding', () => {
    assert.deepEqual(rulesOf(aPolicy('web'), selecting('db', 'service="db"')), []);
  });

  it('matchers that take every alert are found, however they are written', () => {
    const all = [[], ['severity=~".*"'], ['alertname!=""'], ['alertname=~".+"', 'team=~"(.*)"']];
    const some = [['severity=~".+"'], ['severity!="none"'], ['alertname=~".{1,9}"']];

    for (const texts of all) {
      assert.deepEqual(rulesOf(matching('p', ...texts)), ['p unbounded_match'], texts.join());
    }
    for (const texts of some) assert.deepEqual(rulesOf(matching('p', ...texts)), [], texts.join());
  });

  it('a selection that a host without any of its labels satisfies is unbounded', () => {
    const all = [['zone!="eu-1"'], ['zone!~"eu-.*"', 'team=~".*"'], ['hostname=~".+"'], ['x=""']];
    const some = [['zone="eu-1"'], ['zone!="eu-1"', 'service="web"'], ['gpu!=""']];

    for (const texts of all) {
      assert.deepEqual(rulesOf(selecting('p', ...texts)), ['p unbounded_select'], texts.join());
    }
    for (const texts of some) assert.deepEqual(rulesOf(selecting('p', ...texts)), [], texts.join());
  });

  it('a cooldown of nothing is found', () => {
    assert.deepEqual(rulesOf(aPolicy('web', { cooldownMs: 0 })), ['web no_cooldown']);
  });

  it('a policy whose alerts an earlier one takes is never reached', () => {
    const covered: [string[], string[]][] = [
      [['severity="page"'], ['severity="page"', 'service="web"']],
      [['severity=~"page|critical"'], ['severity="critical"']],
      [['severity=~"page|critical|info"'], ['severity=~"page|info"']],
      [['severity!="none"'], ['severity="page"']],
      [['severity!="none"'], ['severity!~"none|info"']],
      [['service!=""'], ['service=~"web-.+"']],
      [['service=~"web-[0-9]+"'], ['service=~"web-[0-9]+"', 'zone="a"']],
    ];
    const open: [string[], string[]][] = [
      [['severity="page"'], ['service="web"']],
      [['severity="page"', 'zone="a"'], ['severity="page"']],
      [['severity=~"page|critical"'], ['severity=~"page|info"']],
      [['severity!~"none|info"'], ['severity!="none"']],
      [['service=~"web-[0-9]+"'], ['service=~"web-.+"']],
      [['severity=~"page"'], ['severity!="page"']],
    ];

    for (const [first, second] of covered) {
      assert.deepEqual(
        rulesOf(matching('a', ...first), matching('b', ...second)),
        ['b never_reached'],
        second.join(),
      );
    }
    for (const [first, second] of open) {
      assert.deepEqual(rulesOf(matching('a', ...first), matching('b', ...second)), []);
    }
  });

  it('an earlier policy that continues, or has another source, takes nothing away', () => {
    const first = aPolicy('web', { continues: true });
    const other = aPolicy('web', { source: 'grafana' });

    assert.deepEqual(rulesOf(first, matching('b', 'alertname="web"')), []);
    assert.deepEqual(rulesOf(other, matching('b', 'alertname="web"')), []);
  });

  it('matchers that exclude each other are told once, as impossible', () => {
    const policy = matching('b', 'severity="page"', 'severity=~"info|none"');

    assert.deepEqual(rulesOf(matching('a', 'severity="page"'), policy), ['b impossible_match']);
  });

  it('another runbook for hosts of the same alert is found only where both get that alert', () => {
    const first = aPolicy('a', { matchers: matchersOf('severity="page"'), continues: true });
    const second = { matchers: matchersOf('service="web"'), runbook: 'reboot' };

    assert.deepEqual(rulesOf(first, aPolicy('b', second)), ['b same_hosts']);
    assert.deepEqual(rulesOf({ ...first, continues: false }, aPolicy('b', second)), []);
    assert.deepEqual(rulesOf(first, aPolicy('b', { ...second, from: 'node by ip' })), []);
    assert.deepEqual(rulesOf(first, aPolicy('b', { ...second, runbook: first.runbook })), []);
    const apart = aPolicy('b', { ...second, matchers: matchersOf('severity="info"') });
    assert.deepEqual(rulesOf(first, apart), []);
  });

  it('another runbook for the same selection is found whatever the alerts are', () => {
    const first = selecting('a', 'service="web"', 'zone="eu"');
    const second = selecting('b', 'zone="eu"', 'service=~"web"');

    assert.deepEqual(rulesOf(first, { ...second, runbook: 'reboot' }), ['b same_hosts']);
    assert.deepEqual(rulesOf(first, second), []);
    const wider = { ...selecting('b', 'zone="eu"'), runbook: 'reboot' };
    assert.deepEqual(rulesOf(first, wider), []);
  });
});

describe('a resolved that nothing proves', () => {
  const rules = (hasProbe: boolean, hasWatchdog: boolean) =>
    lintPolicies([aPolicy('web', { hasWatchdog })], [aRunbook({ hasProbe })])
      .filter(({ kind }) => kind === 'policy')
      .map(({ rule, path }) => [rule, path.join('.')]);

  it('is found where neither a probe nor a watchdog stands behind it', () => {
    assert.deepEqual(rules(false, false), [['no_watchdog', 'verify']]);
    assert.deepEqual(rules(true, false), []);
    assert.deepEqual(rules(false, true), []);
  });
});

describe('what is seldom meant in runbooks', () => {
  it('a repair that only its sender judges, and a step that nothing stops, are found', () => {
    const found = lintPolicies(
      [],
      [aRunbook({ hasProbe: false, maxFailures: ['10%', '100%', 3] })],
    );

    assert.deepEqual(
      found.map(({ rule, path }) => [rule, path.join('.')]),
      [
        ['no_probe', 'verify'],
        ['no_failure_limit', 'steps.1.rollout.maxFailures'],
      ],
    );
  });

  it('every host of every domain in one batch without a cap is found, and either of the two is enough', () => {
    const all = (over: Partial<LintedPolicy>, batches: string) =>
      lintPolicies(
        [{ ...selecting('web', 'service="web"'), blastRadius: '100%', ...over }],
        [aRunbook({ batches: ['1', batches], maxFailures: [0, 0] })],
      ).map(({ rule, path }) => [rule, path.join('.')]);

    assert.deepEqual(all({}, '100%'), [['all_domains_at_once', 'guards.blastRadius']]);
    assert.deepEqual(all({}, '100% 5').length, 1);
    assert.deepEqual(all({}, '1 100%'), []);
    assert.deepEqual(all({ blastRadius: '50%' }, '100%'), []);
    assert.deepEqual(all({ blastRadius: null }, '100%'), []);
    assert.deepEqual(all({ select: null, from: 'instance' }, '100%'), []);
  });

  it('every finding says what is wrong and what to write', () => {
    const found = lintPolicies(
      [matching('a'), { ...matching('b'), cooldownMs: 0 }],
      [aRunbook({ hasProbe: false })],
    );

    assert.equal(found.length, 7);
    for (const { message, fix } of found) {
      assert.ok(message.length > 10);
      assert.ok(fix.length > 10);
    }
  });
});
