import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { defaultClocks } from '../../../contracts/limits.ts';
import { manualRunBody } from '../../../contracts/manual-run.ts';
import { FixpointError } from '../../../domain/errors.ts';
import { ulidOf } from '../../../domain/ulid.ts';
import { manualRemediation } from '../../../platform/manual-run.ts';
import type { PolicySet } from '../../../platform/policy-files.ts';
import { aPolicyText, aRunbookText, loadTexts } from '../../support/policy-set.ts';

const probe = 'verify: { probe: { script: { inline: "exit 0" } } }';

const aDestructiveRunbook = () => `
apiVersion: fixpoint/v1
kind: Runbook
name: clean
destructive: true
steps:
  - name: clean
    script: { inline: "exit 0" }
    contract: repeatable
    rollback: { script: { inline: "exit 0" } }
verify: { probe: { script: { inline: "exit 0" } }, soak: 10m }
`;

describe('a run by hand', () => {
  let set: PolicySet;
  before(async () => {
    const files = await loadTexts({
      policies: {
        'p.yaml': aPolicyText(
          'web',
          'targets: { select: [service="web"], domainBy: [rack] }',
          'runbook: restart-web',
        ),
      },
      runbooks: {
        'r.yaml': `${aRunbookText()}\n${probe}`,
        'u.yaml': aRunbookText('unproven'),
        'd.yaml': aDestructiveRunbook(),
      },
    });
    assert.ok(files.kind === 'loaded', JSON.stringify(files));
    set = files.set;
  });

  const inputFor = (body: object, isPlanOnly = false, approvalsFromTemporal = true) =>
    manualRemediation({
      asked: manualRunBody.parse({ runbook: 'restart-web', ...body }),
      ...{ set, remediationId: 'remediation:manual:restart-web:x', startedBy: 'anna' },
      ...{ isPlanOnly, approvalMs: 1_000, nowMs: 1_700_000_000_000, approvalsFromTemporal },
      ...{ clocks: defaultClocks, callbackUrl: 'http://127.0.0.1:1/' },
    });
  const refusalOf = (body: object): string => {
    try {
      inputFor(body);
    } catch (error) {
      assert.ok(error instanceof FixpointError);
      const flaws = error.flaws.map(({ field, fix }) => `${field}: ${fix}`).join('; ');
      return `${error.code}: ${error.message}; ${error.hint ?? flaws}`;
    }
    throw new Error('it was taken');
  };

  it('of a destructive runbook is approved by others, and may be planned by anybody', () => {
    const clean = { runbook: 'clean', hosts: ['web1'] };

    assert.match(refusalOf(clean), /^invalid_payload: .*destructive; approvers: .*at least 1$/);
    assert.equal(inputFor({ ...clean, approvers: 1 }).policy.autonomy, 'approve');
    assert.equal(inputFor(clean, true).policy.autonomy, 'observe');
  });

  it('counts in the domains of all policies, and they in its own', () => {
    const { policy, trigger, mailboxId, startedBy } = inputFor({ hosts: ['web1'] });

    assert.deepEqual(policy.guards, { domainBy: ['zone'], countedBy: [['rack']] });
    assert.deepEqual(set.policies[0]?.frozen.guards, {
      domainBy: ['rack'],
      countedBy: [['zone']],
    });
    assert.deepEqual([trigger, mailboxId, startedBy], ['manual', null, 'anna']);
    assert.deepEqual(policy.targets.agents, ['web1']);
  });

  it('begins at once, waits for others, or only says what it would do', () => {
    const autonomyOf = (body: object, isPlanOnly?: boolean) => {
      const { autonomy, approval } = inputFor({ hosts: ['web1'], ...body }, isPlanOnly).policy;
      return [autonomy, approval];
    };

    assert.deepEqual(autonomyOf({}), ['auto', undefined]);
    assert.deepEqual(autonomyOf({ approvers: 2 }), ['approve', { approvers: 2, expiresMs: 1_000 }]);
    assert.deepEqual(autonomyOf({ approvers: 2 }, true), ['observe', undefined]);
    const strict = inputFor({ hosts: ['web1'], approvers: 1 }, false, false);
    assert.equal(strict.policy.approval?.fromTemporal, false);
  });

  it('batches of its own replace those of the steps, and that is another runbook', () => {
    const before = inputFor({ hosts: ['web1'] }).runbook;
    const after = inputFor({ hosts: ['web1'], batches: '1 10%' }).runbook;

    assert.equal(after.steps[0]?.rollout.expression, '1 10%');
    assert.notEqual(after.digest, before.digest);
  });

  it('what cannot be run is refused with the fix', () => {
    assert.match(
      refusalOf({ runbook: 'restart-wed', hosts: ['a'] }),
      /^not_found: there is no runbook "restart-wed"; did you mean "restart-web"/,
    );
    assert.match(
      refusalOf({ runbook: 'unproven', hosts: ['a'] }),
      /^invalid_payload: .* cannot be proven; runbook: add verify\.probe/,
    );
    assert.match(refusalOf({ select: ['service='], batches: '1 x' }), /batches: part 2, "x"/);
    assert.match(refusalOf({ select: ['=web'] }), /^invalid_payload: .*select\.0: /);
  });

  it('hosts are named or selected, exactly one of both', () => {
    const isTaken = (body: object) =>
      manualRunBody.safeParse({ runbook: 'restart-web', ...body }).success;

    assert.ok(isTaken({ hosts: ['a'] }));
    assert.ok(isTaken({ select: ['service="web"'] }));
    for (const body of [
      {},
      { hosts: [] },
      { hosts: ['a'], select: ['b="c"'] },
      { hosts: ['a'], approvers: 6 },
      { hosts: ['a'], id: 'a:b' },
      { hosts: ['a'], host: 'b' },
    ]) {
      assert.ok(!isTaken(body), JSON.stringify(body));
    }
  });
});

describe('a ULID', () => {
  it('has 26 digits and sorts by time', () => {
    const at = (ms: number) => ulidOf(ms, new Uint8Array(10).fill(255));

    // The example of the ULID specification.
    assert.equal(at(1_469_922_850_259).slice(0, 10), '01arz3ndek');
    assert.match(at(0), /^0{10}z{16}$/);
    assert.ok(at(1_700_000_000_000) < at(1_700_000_000_001));
  });
});
