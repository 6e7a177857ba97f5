import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type ApprovedPlan,
  approvalDigestOf,
  namesDigest,
  shortDigest,
} from '../../../domain/approval-digest.ts';
import { dayAndTime, waitsForInWords } from '../../../domain/approval-words.ts';
import { planDifference } from '../../../domain/plan-difference.ts';
import { detailsOf } from '../../../domain/remediation-details.ts';
import { sha256Hex } from '../../../platform/digest.ts';

const host = (at: number, episodes?: readonly number[]) => ({
  agentId: `a${at}`,
  journalId: `j${at}`,
  ...(episodes === undefined ? {} : { episodes }),
});
const episode = (id: string, service: string): ApprovedPlan['episodes'][number] => ({
  id,
  labels: [
    ['service', service],
    ['env', 'prod'],
  ],
});
const plan: ApprovedPlan = {
  policyDigest: 'sha256:p',
  runbookDigest: 'sha256:r',
  scriptDigests: ['sha256:s'],
  episodes: [episode('one', 'web'), episode('two', 'db')],
  targets: [host(1, [0]), host(2, [1])],
};
const digestOf = (over: Partial<ApprovedPlan> = {}) =>
  approvalDigestOf({ ...plan, ...over }, sha256Hex);

describe('what an approval signs', () => {
  it('another policy, runbook, script, argument or host is another digest', () => {
    const others: Partial<ApprovedPlan>[] = [
      { policyDigest: 'sha256:p2' },
      { runbookDigest: 'sha256:r2' },
      { scriptDigests: ['sha256:s2'] },
      { episodes: [episode('one', 'web'), episode('two', 'cache')] },
      { targets: [host(1, [0])] },
      { targets: [host(1, [0]), host(2, [0])] },
      { targets: [host(1, [0]), { ...host(2, [1]), journalId: 'j9' }] },
    ];
    const digests = [digestOf(), ...others.map(digestOf)];

    assert.equal(new Set(digests).size, digests.length);
  });

  it('the same in another order, or told by another alert, is the same digest', () => {
    const [one, two] = plan.episodes;
    const turned = [...(one?.labels ?? [])].reverse();

    assert.equal(digestOf({ targets: [host(2, [1]), host(1, [0])] }), digestOf());
    assert.equal(
      digestOf({
        episodes: [
          { id: 'later', labels: turned },
          { id: 'two', labels: two?.labels ?? [] },
        ],
      }),
      digestOf(),
    );
  });

  it('people name it by its first twelve digits or more, and never by fewer or others', () => {
    const digest = digestOf();

    assert.ok(namesDigest(digest, digest));
    assert.ok(namesDigest(` ${shortDigest(digest).toUpperCase()} `, digest));
    assert.ok(!namesDigest(shortDigest(digest).slice(1), digest));
    assert.ok(!namesDigest('', digest));
    assert.ok(!namesDigest(`${digest}0`, digest));
  });
});

describe('a plan that is made again', () => {
  it('a host that was enrolled anew is new, and the one before is gone', () => {
    const again = { ...host(2), journalId: 'j9' };

    assert.deepEqual(planDifference([host(1), host(2)], [host(1), again]), {
      added: [again],
      gone: [host(2)],
    });
  });
});

describe('an open question, in words', () => {
  const now = Date.UTC(2026, 11, 1, 14, 0);
  const view = {
    ...{ approvers: 2, given: [], untilMs: now + 3_600_000, digest: '', hosts: 3, notBy: [] },
  };

  it('within the week a day is named, later its date too', () => {
    assert.equal(dayAndTime(now, now), 'Tue 14:00 UTC');
    assert.equal(dayAndTime(now + 5 * 86_400_000, now), 'Sun 14:00 UTC');
    assert.equal(dayAndTime(now + 6 * 86_400_000, now), 'Mon 7 Dec 14:00 UTC');
  });

  it('says how many are missing, who has approved, who may not, and until when', () => {
    assert.equal(waitsForInWords(view, now), 'waits for 2 approvals until Tue 15:00 UTC');
    assert.equal(
      waitsForInWords({ ...view, given: ['anna'], notBy: ['bob'] }, now),
      'waits for 1 more approval, not by bob, until Tue 15:00 UTC; approved by anna',
    );
    assert.equal(
      waitsForInWords({ ...view, untilMs: null }, now),
      'waits for 2 approvals; its time stands still while it is paused',
    );
  });

  it('names the hosts that are new', () => {
    const added = ['a', 'b', 'c', 'd', 'e', 'f'];
    assert.equal(
      waitsForInWords({ ...view, approvers: 1, hosts: 6, added }, now),
      'waits for 1 approval of 6 hosts that are new since it was approved: a, b, c, d, e and 1 more until Tue 15:00 UTC',
    );
  });
});

describe('a repair that waits for approval, in Temporal UI', () => {
  it('says once whom it waits for, then how to answer, what it would do, and its alerts', () => {
    const reason = 'waits for 1 approval until Tue 15:00 UTC';
    const lines = detailsOf({
      ...{ remediationId: 'remediation:web:a:1-1', policy: 'web', runbook: 'restart-web' },
      ...{ state: 'awaiting_approval', reason, hosts: 1, hostsFailed: 0, steps: [] },
      episodes: [{ id: 'e@1', name: 'Down', open: true }],
      targets: [{ agentId: 'a1', name: 'web1', letter: 'h' }],
      approval: { approvers: 1, given: [], untilMs: 0, digest: 'abc', hosts: 1, notBy: [] },
      outlook: { steps: [{ name: 'restart', batches: [1] }], domains: [] },
    }).split('\n');

    assert.equal(lines.filter((line) => line.includes(reason)).length, 1);
    const at = (text: string) => lines.findIndex((line) => line.includes(text));
    const order = [reason, '**How to answer**', '**What it would do**', '**Alerts**', '- Down'].map(
      at,
    );
    assert.ok(!order.includes(-1), lines.join('\n'));
    assert.deepEqual(
      order,
      order.toSorted((left, right) => left - right),
    );
  });
});
