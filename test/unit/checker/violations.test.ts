import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { auditViolations } from '../../support/checker/audit-rules.ts';
import { violationsOf } from '../../support/checker/checker.ts';
import type { HostRecords, Start } from '../../support/checker/host-records.ts';
import type { IntakeRecords } from '../../support/checker/intake-rules.ts';
import type { JournalFrame } from '../../support/checker/journal-frames.ts';
import type { Run } from '../../support/checker/repair-histories.ts';

const [act, probe] = ['tact.host1', 'tprobe.host1'];
const repairId = 'remediation:p:case~1:r-1';
const mailboxId = 'mailbox:p:case~1';
const alert = { fingerprint: 'f1', status: 'firing', startsAt: '2026-01-01T00:00:00Z' } as const;

const aStart = (jobId: string, over: Partial<Start> = {}): Start => ({
  ...{ kind: 'act', case: 'case', jobId, attempt: 1, pid: 7, at: 1_000, ...over },
});
const frames = (jobId: string, from: number, state = 'succeeded'): JournalFrame[] =>
  ['intent', 'started', 'finished', 'stored'].map((kind, at) => ({
    ...{ seq: from + at, at: 990 + at, kind, jobId },
    slot: kind === 'intent' ? jobId : null,
    state: kind === 'finished' ? state : null,
  }));
const aHost = (over: Partial<HostRecords> = {}): HostRecords => ({
  name: 'agent-1',
  agentId: 'host1',
  starts: [aStart(act), aStart(probe, { kind: 'probe' })],
  journal: [...frames(act, 1), ...frames(probe, 5)],
  ...over,
});
const attempt = (step: string, jobId: string, letters: string | null) => ({
  ...{ key: `${repairId}/${step}/1/1`, jobs: [{ agentId: 'host1', jobId }], letters },
});
const aRepair = (over: Partial<Run> = {}): Run => ({
  type: 'remediation',
  workflowId: repairId,
  status: 'COMPLETED',
  input: { mailboxId, episodes: [alert] },
  result: { state: 'verified', letters: { act: 's', verify: 's' } },
  attempts: [attempt('act', act, 's'), attempt('verify', probe, 's')],
  signals: [],
  taskFailures: [],
  ...over,
});
const told = { name: 'remediationEnded', input: { remediationId: repairId } };
const aMailbox = (over: Partial<Run> = {}): Run => ({
  ...aRepair(),
  ...{ type: 'mailbox', workflowId: mailboxId, attempts: [], input: {}, result: null },
  signals: [{ name: 'alerts', input: { alerts: [alert] } }, told],
  ...over,
});
const counters = (received: number, fates: number, backlog = 0) =>
  [
    `fixpoint_intake_received_total{source="alertmanager"} ${received}`,
    `fixpoint_intake_entries_total{source="alertmanager",fate="handed"} ${fates}`,
    `fixpoint_intake_backlog{source="alertmanager"} ${backlog}`,
  ].join('\n');
const anIntake = (over: Partial<IntakeRecords> = {}): IntakeRecords => ({
  posts: [{ ...alert, case: 'case', due: 'repair', answeredAt: 1 }],
  deliveries: [{ ...alert, outcomes: [{ fate: { kind: 'handed' }, mailboxId }] }],
  metrics: counters(1, 1),
  ...over,
});

const judge = (of: {
  readonly host?: Partial<HostRecords>;
  readonly repair?: Partial<Run>;
  readonly mailbox?: Partial<Run>;
  readonly intake?: Partial<IntakeRecords>;
}): string =>
  violationsOf({
    hosts: [aHost(of.host)],
    runs: [aRepair(of.repair), aMailbox(of.mailbox)],
    intake: anIntake(of.intake),
  }).join('\n');

describe('the independent checker', () => {
  it('finds nothing where all agree', () => {
    assert.equal(judge({}), '');
  });

  it('finds a second start of one attempt', () => {
    const starts = [...aHost().starts, aStart(act)];

    assert.match(judge({ host: { starts } }), /agent-1 started job tact.host1 of case 2 times/);
  });

  it('finds a start without an intent, and one before it', () => {
    assert.match(judge({ host: { journal: frames(probe, 5) } }), /its journal has no intent/);
    const starts = [aStart(act, { at: 900 }), aStart(probe)];
    assert.match(judge({ host: { starts } }), /90 ms before its intent/);
  });

  it('finds a journal out of order, and a number that stands twice', () => {
    const [intent, ...rest] = frames(act, 1);
    const journal = [...rest, { ...(intent ?? rest[0]), seq: 4 } as JournalFrame];
    const found = judge({ host: { journal: [...journal, ...frames(probe, 5)] } });

    assert.match(found, /says of job tact.host1: started, finished, stored, intent/);
    assert.match(found, /number 4 twice/);
  });

  it('finds two attempts of a slot at a time', () => {
    const second = frames('tact2.host1', 2).map((frame) => ({ ...frame, slot: act }));
    const journal = [...frames(act, 1), ...second].sort((left, right) => left.seq - right.seq);

    assert.match(judge({ host: { journal } }), /took up job tact2.host1 while tact.host1/);
  });

  for (const letter of ['s', 't']) {
    it(`finds a “${letter}” whose host shows no start`, () => {
      const attempts = [attempt('act', act, letter), attempt('verify', probe, 's')];
      const host = { starts: [aStart(probe)] };

      assert.match(judge({ host, repair: { attempts } }), /host shows 0 starts/);
    });
  }

  for (const letter of ['x', 'e', 'r', 'h', 'k', 'n']) {
    it(`finds an “${letter}” whose host shows a start`, () => {
      const attempts = [attempt('act', act, letter), attempt('verify', probe, 's')];

      assert.match(judge({ repair: { attempts } }), /host shows 1 starts/);
    });
  }

  it('takes “u” and what was never reported with one start or none', () => {
    for (const letters of ['u', null]) {
      const attempts = [attempt('act', act, letters), attempt('verify', probe, 's')];
      assert.equal(judge({ repair: { attempts } }), '');
      assert.equal(judge({ repair: { attempts }, host: { starts: [aStart(probe)] } }), '');
    }
  });

  it('finds an “s” that the journal does not know as success', () => {
    const journal = [...frames(act, 1, 'unknown'), ...frames(probe, 5)];

    assert.match(judge({ host: { journal } }), /is “s”, and the journal says unknown/);
  });

  it('finds a start that no repair asked for', () => {
    const starts = [...aHost().starts, aStart('tother.host1')];

    assert.match(judge({ host: { starts } }), /no repair asked for it/);
  });

  it('finds a repair that does not end, ends in no named state or is ended from outside', () => {
    for (const status of ['RUNNING', 'FAILED', 'TERMINATED']) {
      assert.match(judge({ repair: { status } }), /did not end by itself/);
    }
    const result = { state: 'done', letters: {} };
    assert.match(judge({ repair: { result } }), /no named state: done/);
    assert.match(judge({ repair: { taskFailures: ['not deterministic'] } }), /could not go on/);
    assert.match(judge({ mailbox: { status: 'FAILED' } }), /mailbox:p:case~1 is failed/);
  });

  it('finds a verified repair without a probe', () => {
    const result = { state: 'verified', letters: { act: 's' } };

    assert.match(judge({ repair: { result } }), /verified without a probe/);
  });

  it('finds a mailbox that was not told of the end', () => {
    const signals = [{ name: 'alerts', input: { alerts: [alert] } }];

    assert.match(judge({ mailbox: { signals } }), /was not told/);
  });

  it('finds entries without a fate, with two, and counters that do not add up', () => {
    const { deliveries } = anIntake();

    assert.match(judge({ intake: { deliveries: [] } }), /answered 200 and has no fate/);
    const twice = [...deliveries, ...deliveries];
    assert.match(judge({ intake: { deliveries: twice } }), /more than one fate/);
    assert.match(judge({ intake: { metrics: counters(2, 1) } }), /2 entries were received, 1 have/);
    assert.match(judge({ intake: { metrics: counters(2, 1, 1) } }), /1 entries still wait/);
  });

  it('finds an alert that its mailbox never got', () => {
    assert.match(judge({ mailbox: { signals: [told] } }), /said to be handed/);
  });

  it('finds an alert without its repair, and one with two', () => {
    const none = { input: { mailboxId, episodes: [] } };
    assert.match(judge({ repair: none }), /is due 1 repairs and has 0/);
    const second = aRepair({ workflowId: 'remediation:p:case~1:r-2' });
    const runs = [aRepair(), second, aMailbox()];
    const found = violationsOf({ hosts: [aHost()], runs, intake: anIntake() }).join('\n');
    assert.match(found, /is due 1 repairs and has 2/);
  });

  it('finds a repair of what was over before it was told', () => {
    const posts = [{ ...alert, case: 'case', due: 'nothing' as const, answeredAt: 1 }];
    const found = judge({ intake: { posts } });

    assert.match(found, /is due 0 repairs and has 1/);
    assert.match(found, /was repaired for case, which was over/);
  });

  it('finds an audit log that lacks an end, and one that was changed', () => {
    const folder = mkdtempSync(join(tmpdir(), 'fixpoint-checker-'));
    try {
      const body = { seq: 1, kind: 'remediation.ended', object: repairId, detail: {} };
      const chained = { ...body, detail: { state: 'verified' }, previous: '0'.repeat(64) };
      const digest = createHash('sha256').update(chained.previous + JSON.stringify(chained));
      const line = JSON.stringify({ ...chained, hash: digest.digest('hex') });
      const write = (text: string) =>
        writeFileSync(join(folder, 'activities-2026-01-01.jsonl'), `${text}\n`);

      write(line);
      assert.deepEqual(auditViolations(folder, [aRepair()]), []);
      write(line.replace('verified', 'resolved'));
      const [changed, lacking] = auditViolations(folder, [aRepair()]);
      assert.match(changed ?? '', /was changed/);
      assert.match(lacking ?? '', /does not say that/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
