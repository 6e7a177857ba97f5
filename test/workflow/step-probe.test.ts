import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { notThereStatus } from '../../domain/job.ts';
import { aRunbook, aScript, aStep } from '../support/builders.ts';
import { planOf, repairOn, ScriptedGateway } from '../support/scripted-gateway.ts';
import { timeSkipping } from '../support/workflow-environment.ts';

const probe = { script: aScript({ content: 'test -e /done\n' }), timeoutMs: 5_000 };
const retry = { attempts: 3, backoffMs: 10_000, on: ['unknown' as const] };
const probed = aStep({ contract: 'probe', probe, retry });
const isProbe = (key: string) => key.includes('~probe');

describe('a step whose outcome is unknown', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  const repair = (gateway: ScriptedGateway, step = probed, hosts = 2) =>
    repairOn(environment, {
      gateway,
      plan: planOf(hosts),
      input: { runbook: aRunbook({ steps: [step] }) },
    });
  /** A gateway whose step ends with these letters, try by try, and whose probe with those. */
  const answering = (step: readonly string[], asked: string, exitCode: number | null = null) => {
    const gateway = new ScriptedGateway();
    gateway.endsAtOnce = true;
    gateway.exitCode = exitCode;
    const tries = [...step];
    const known = new Map<string, string>();
    gateway.letters = (key, task) => {
      if (isProbe(key)) return asked.slice(0, task.targets.length);
      if (!key.includes('/restart/')) return 's'.repeat(task.targets.length);
      if (!known.has(key)) known.set(key, tries.shift() ?? '');
      return known.get(key) ?? '';
    };
    return gateway;
  };
  const keysOf = (gateway: ScriptedGateway) =>
    gateway.submitted.map(({ key }) => key.split('/').slice(1).join('/'));

  it('and whose probe finds the effect has succeeded, and is not run again', async () => {
    const gateway = answering(['su'], 's');

    const { result, events } = await repair(gateway);

    assert.equal(result.state, 'verified');
    assert.deepEqual(result.letters, { restart: 'ss', verify: 'ss' });
    assert.deepEqual(keysOf(gateway), ['restart/1/1', 'restart~probe/1/1', 'verify/1/1']);
    const [step, asked] = gateway.submitted;
    assert.deepEqual(
      asked?.task.targets.map(({ agentId }) => agentId),
      ['a00000000001'],
    );
    // An agent on which the attempt still runs refuses another one of its slot.
    assert.equal(asked?.task.slot, step?.task.slot);
    assert.equal(asked?.task.action.content, probe.script.action.content);
    assert.ok(events.length <= 60, `${events.length} events`);
  });

  it('and whose probe says that nothing is there is tried again there', async () => {
    const gateway = answering(['su', 's'], 'f', notThereStatus);

    const { result } = await repair(gateway);

    assert.equal(result.state, 'verified');
    assert.deepEqual(result.letters, { restart: 'ps', verify: 'ss' });
    assert.deepEqual(keysOf(gateway).slice(0, 3), [
      'restart/1/1',
      'restart~probe/1/1',
      'restart/1/2',
    ]);
  });

  for (const { name, letter, exitCode } of [
    { name: 'breaks, as interpreters say it with 1,', letter: 'f', exitCode: 1 },
    { name: 'has a flaw of syntax', letter: 'f', exitCode: 2 },
    { name: 'calls a command that is missing', letter: 'f', exitCode: 127 },
    { name: 'was killed', letter: 'f', exitCode: null },
    { name: 'took too long', letter: 't', exitCode: null },
    { name: 'is refused, because the attempt still runs', letter: 'r', exitCode: null },
    { name: 'cannot be reached', letter: 'x', exitCode: null },
    { name: 'is itself unknown', letter: 'u', exitCode: null },
  ]) {
    it(`and whose probe ${name} stays unknown and is never run again`, async () => {
      const gateway = answering(['su'], letter, exitCode);

      const { result } = await repair(gateway);

      assert.equal(result.state, 'failed');
      assert.deepEqual(result.letters, { restart: 'su' });
      assert.deepEqual(keysOf(gateway), ['restart/1/1', 'restart~probe/1/1']);
    });
  }

  it('and whose probe says that nothing is there is not tried again unless the runbook says so', async () => {
    const gateway = answering(['su'], 'f', notThereStatus);

    const { result } = await repair(gateway, aStep({ contract: 'probe', probe }));

    assert.equal(result.state, 'failed');
    assert.deepEqual(result.letters, { restart: 'su' });
  });

  it('on all 500 hosts of a batch is asked about by one task, and run again just where it says so', async () => {
    const asked = `${'s'.repeat(100)}${'f'.repeat(350)}${'t'.repeat(50)}`;
    const gateway = answering(['u'.repeat(500), 's'.repeat(350)], asked, notThereStatus);

    const { result, events } = await repair(gateway, probed, 500);

    const [, probes, again, ...others] = gateway.submitted;
    assert.deepEqual(others, []);
    assert.ok(isProbe(probes?.key ?? ''));
    assert.equal(probes?.task.targets.length, 500);
    assert.deepEqual(
      again?.task.targets.map(({ agentId }) => agentId),
      probes?.task.targets.slice(100, 450).map(({ agentId }) => agentId),
    );
    assert.equal(result.letters.restart, `${'p'.repeat(100)}${'s'.repeat(350)}${'u'.repeat(50)}`);
    assert.ok(events.length <= 60, `${events.length} events`);
  });

  it('and whose probe is told by an older gateway is run again on the hosts that it names', async () => {
    const gateway = answering(['u'.repeat(30), 's'.repeat(20)], 'f'.repeat(30), notThereStatus);
    gateway.isOld = true;

    const { result } = await repair(gateway, probed, 30);

    assert.deepEqual(result.letters, { restart: `${'s'.repeat(20)}${'u'.repeat(10)}` });
    assert.equal(gateway.submitted.filter(({ key }) => isProbe(key)).length, 1);
  });

  it('of a repeatable step is asked of nobody', async () => {
    const gateway = answering(['su', 's'], 's');

    const { result } = await repair(gateway, aStep({ retry }));

    assert.equal(result.state, 'verified');
    assert.equal(keysOf(gateway).some(isProbe), false);
  });

  it('tells the gateway that a step expects a reboot, and of no other', async () => {
    const gateway = answering(['ss'], '');

    await repair(gateway, aStep({ expectReboot: true }));

    const told = gateway.submitted.map(({ task }) => task.expectReboot);
    assert.deepEqual(told, [true, undefined]);
  });
});
