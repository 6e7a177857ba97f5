import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { accountOf, type Told } from '../../../domain/account.ts';
import { escalatedEnd } from '../../../domain/escalation.ts';

const told = (over: Partial<Told> = {}): Told => ({
  state: 'rolled_back',
  reason: 'verification: the probe fails on 2 hosts; undone on 2 hosts',
  policy: 'restart-web',
  runbook: 'restart-web',
  episodes: [{ name: 'ServiceDown' }, { name: 'ServiceDown' }],
  targets: ['web1', 'web2', 'web3'].map((name, at) => ({ agentId: `a${at}`, name })),
  letters: { restart: 'ssx', verify: 'ffh', 'undo-restart': 'ssh' },
  ...over,
});

describe('the account of a repair', () => {
  it('says what fired, what was done, found and undone, and what to do', () => {
    assert.equal(
      accountOf(told()),
      [
        'ServiceDown (2 alerts) fired, and policy restart-web took it for runbook restart-web.',
        'Step restart: 2 succeeded, 1 unreachable (web3).',
        'The proof: 2 failed (web1, web2).',
        'Undoing restart: 2 succeeded.',
        'It ended rolled_back: verification: the probe fails on 2 hosts; undone on 2 hosts.',
        'The steps were taken back, so the alert is likely to go on: look for its cause.',
      ].join(' '),
    );
  });

  it('says so where nothing was run', () => {
    const account = accountOf(
      told({
        state: 'held',
        reason: 'no_target: label instance is no host',
        letters: { restart: 'hhh' },
      }),
    );

    assert.match(account, /Nothing was run\. It ended held: no_target: .*\. Nothing was done:/);
  });

  it('stays a paragraph for thousands of hosts and alerts', () => {
    const many = Array.from({ length: 5_000 }, (_, at) => at);

    const account = accountOf(
      told({
        reason: 'x'.repeat(5_000),
        episodes: many.map((at) => ({ name: `Alert${at}` })),
        targets: many.map((at) => ({ agentId: `a${at}` })),
        letters: { restart: 'f'.repeat(5_000) },
      }),
    );

    assert.ok(account.length < 1_500, `${account.length} characters`);
    assert.match(account, /5000 failed \(a0, a1, a2, a3, a4 and 4995 more hosts\)/);
  });
});

describe('who is told of an end', () => {
  const on = ['failed', 'held'] as const;
  const end = (state: string, reason: string | null = null) =>
    escalatedEnd({ url: 'http://127.0.0.1/', on }, { state, reason });

  it('is nobody unless the policy names it', () => {
    assert.deepEqual(
      ['failed', 'held', 'rolled_back', 'verified'].map((state) => end(state)),
      ['failed', 'held', null, null],
    );
    assert.equal(escalatedEnd(undefined, { state: 'failed', reason: null }), null);
  });

  it('is nobody for what passes by itself', () => {
    assert.equal(end('held', 'maintenance: until 06:00'), null);
    assert.equal(end('held', 'flapping: 6 changes'), null);
    assert.equal(end('held', 'ambiguous_target: two agents'), 'held');
  });
});
