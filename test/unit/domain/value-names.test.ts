import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { alertRefOf } from '../../../domain/alert-ref.ts';
import { planHosts } from '../../../domain/repair-plan.ts';
import { namesUsed } from '../../../domain/value-names.ts';
import { selectAgents } from '../../../platform/agent-matchers.ts';
import { aRunbook, aScript, aStep } from '../../support/builders.ts';

const step = (text: string) => aStep({ script: aScript({ args: [text], env: { E: text } }) });

describe('values that a runbook asks for', () => {
  it('are found in every script of it, each once, by their source', () => {
    const probe = { script: aScript({ args: ['${host.zone} ${annotations.b}'] }), timeoutMs: 1 };
    const runbook = aRunbook({
      steps: [step('${labels.a}${annotations.b}'), { ...step('${host.rack}'), probe }],
      verify: { probe: { ...probe, script: aScript({ args: ['${host.name}'] }) }, withinMs: 1 },
    });

    assert.deepEqual(namesUsed(runbook, 'host'), ['name', 'rack', 'zone']);
    assert.deepEqual(namesUsed(runbook, 'annotations'), ['b']);
    assert.deepEqual(namesUsed(runbook, 'labels'), ['a']);
    assert.deepEqual(namesUsed(undefined, 'host'), []);
  });

  it('of an alert’s annotations a mailbox gets those alone, and none if none is asked for', () => {
    const alert = {
      ...{ source: 's', fingerprint: 'f', status: 'firing' as const, startsAt: '', endsAt: null },
      ...{ name: 'Down', severity: '', labels: [], rawDigest: '', truncated: false },
      ...{ receivedAt: '2027-01-15T08:00:00Z', deliveryId: 'd' },
      annotations: [['a', 'x'.repeat(10_000)] as [string, string], ['b', '2'] as [string, string]],
    };

    const named = alertRefOf(alert, { late: false, annotations: new Set(['b', 'c']) });
    const none = alertRefOf(alert, { late: false, annotations: new Set() });

    assert.deepEqual(named.annotations, [['b', '2']]);
    assert.ok(!('annotations' in none));
  });

  it('of a host’s labels a plan carries those alone, and leaves out what the host does not have', () => {
    const labels = new Map([
      ['name', 'agent-1'],
      ['zone', 'a'],
      ['service', 'web'],
    ]);
    const of = {
      targets: { from: null, select: ['service="web"'], onMissing: 'refuse' as const },
      ...{ episodes: [], select: selectAgents, targetsMax: 10, blastRadius: undefined },
      agents: [{ agentId: 'a1', journalId: 'j1', labels }],
    };

    const plan = planHosts({ ...of, hostValues: ['agentId', 'rack', 'zone'] });
    const plain = planHosts(of);

    assert.deepEqual(plan.kind === 'planned' && plan.targets[0]?.host, {
      agentId: 'a1',
      zone: 'a',
    });
    assert.ok(plain.kind === 'planned' && plain.targets.every(({ host }) => host === undefined));
  });
});
