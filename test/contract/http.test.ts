import { describe } from 'node:test';
import { alert, fate, quarantined } from '../../contracts/alert.ts';
import {
  actionBody,
  approveBody,
  cancelBody,
  controlBody,
  deliveryView,
  pageOf,
  policyTestAnswer,
  policyTestBody,
  problem,
  readiness,
  remediationDetail,
  remediationRow,
  webhookAnswer,
} from '../../contracts/http.ts';
import { limits } from '../../contracts/limits.ts';
import { runFile } from '../../contracts/run-file.ts';
import { schemaCases } from '../support/schema-cases.ts';

const anAlert = {
  source: 'alertmanager',
  fingerprint: 'aaaaaaaaaaaaaaaa',
  status: 'firing',
  startsAt: '2026-01-01T00:00:00Z',
  endsAt: null,
  name: 'ServiceDown',
  severity: 'page',
  labels: [['alertname', 'ServiceDown']],
  annotations: [],
  receivedAt: '2026-01-01T00:00:01Z',
  deliveryId: 'a'.repeat(26),
  rawDigest: '0'.repeat(64),
  truncated: false,
};
const aRow = {
  id: 'remediation:a:b~1:2-1',
  state: 'verified',
  policy: 'a',
  runbook: 'a',
  group: 'b~1',
  severity: 'page',
  hosts: 1,
  hostsFailed: 0,
  startedAt: '2026-01-01T00:00:00.000Z',
  endedAt: null,
  runId: 'r',
};
const aProgress = {
  remediationId: aRow.id,
  policy: 'a',
  runbook: 'a',
  state: 'running',
  reason: null,
  hosts: 1,
  hostsFailed: 0,
  episodes: [{ id: 'e@1', name: 'ServiceDown', open: true }],
  steps: [{ name: 'restart', batches: [{ batch: 1, attempt: 1, letters: '.', taskKey: 'k' }] }],
  targets: [{ agentId: 'a', name: null, letter: '.' }],
};

describe('alerts and answers over HTTP', () => {
  schemaCases('an alert', alert, {
    valid: [anAlert, { ...anAlert, labels: [['__proto__', 'x']], status: 'resolved' }],
    refused: [
      ['source', ''],
      ['fingerprint', 'x'.repeat(129)],
      ['status', 'pending'],
      ['startsAt', 'x'.repeat(65)],
      ['endsAt', undefined],
      ['labels', { alertname: 'ServiceDown' }],
      ['labels.0', ['', 'x']],
      ['labels', new Array(limits.labelsMax + 1).fill(['a', 'b'])],
      ['deliveryId', 'short'],
      ['truncated', 0],
    ],
  });
  schemaCases('a fate', fate, {
    valid: [
      { kind: 'suppressed', reason: 'resolved' },
      ...['handed', 'duplicate', 'recorded', 'unmatched'].map((kind) => ({ kind })),
      { kind: 'suppressed', reason: 'shielded' },
      { kind: 'suppressed', reason: 'maintenance' },
      { kind: 'held', reason: 'stale' },
      { kind: 'held', reason: 'mass' },
      { kind: 'quarantined', reason: 'is missing' },
    ],
    refused: [
      ['kind', 'lost'],
      ['reason', 'busy'],
    ],
  });
  schemaCases('a quarantined entry', quarantined, {
    valid: [
      { source: 's', receivedAt: 't', rawDigest: 'd', field: 'labels', value: '1', reason: 'r' },
    ],
    refused: [['reason', undefined]],
  });
  schemaCases('a problem', problem, {
    valid: [{ code: 'conflict', message: 'm', flaws: [{ field: 'a', fix: 'b' }], hint: 'h' }],
    refused: [
      ['code', undefined],
      ['flaws.0.fix', 1],
    ],
  });
  schemaCases('an answer to a webhook', webhookAnswer, {
    valid: [
      {
        received: 2,
        accepted: 1,
        duplicate: 0,
        quarantined: [{ index: -1, field: 'body', value: '', reason: 'is not JSON' }],
      },
    ],
    refused: [
      ['received', '2'],
      ['quarantined.0.index', 0.5],
    ],
  });
  schemaCases('a cancel', cancelBody, {
    valid: [{ reason: 'wrong hosts', operator_name: 'ada' }, {}],
    refused: [
      ['reason', 'x'.repeat(501)],
      ['operator_name', 1],
    ],
  });
  schemaCases('what an operator asks of a repair', actionBody, {
    valid: [{ reason: 'wrong hosts', operator_name: 'ada' }],
    refused: [
      ['reason', undefined],
      ['reason', ' '],
      ['reason', 'x'.repeat(501)],
      ['operator_name', 1],
    ],
  });
  schemaCases('an approval', approveBody, {
    valid: [{ reason: '', digest: `sha256:${'a'.repeat(64)}` }, { digest: '0123456789ab' }, {}],
    refused: [
      ['digest', 'a'.repeat(11)],
      ['digest', 'g'.repeat(12)],
      ['digest', 'a'.repeat(65)],
      ['reason', 'x'.repeat(501)],
    ],
  });
  schemaCases('a change of the kill switch', controlBody, {
    valid: [
      { stopped: true, reason: 'storm', operator_name: 'ada' },
      { stopped: false, reason: 'over' },
      { stopped: true },
    ],
    refused: [
      ['stopped', undefined],
      ['stopped', 'true'],
      ['reason', 'x'.repeat(501)],
      ['operator_name', 'x'.repeat(201)],
      ['domain', 'eu-1'],
      ['policy', ''],
    ],
  });
  schemaCases('a row of the listing', remediationRow, {
    valid: [aRow],
    refused: [
      ['id', undefined],
      ['hosts', 'one'],
      ['endedAt', undefined],
    ],
  });
  schemaCases('a page', pageOf(remediationRow), {
    valid: [{ items: [aRow], next: null }],
    refused: [
      ['next', undefined],
      ['items.0.state', null],
    ],
  });
  schemaCases('a remediation', remediationDetail, {
    valid: [{ ...aRow, progress: aProgress }],
    refused: [
      ['progress', undefined],
      ['progress.episodes.0.open', 'yes'],
      ['progress.steps.0.batches.0.letters', null],
      ['progress.targets.0.letter', undefined],
    ],
  });
  schemaCases('a delivery', deliveryView, {
    valid: [
      { ...anAlert, outcomes: [{ fate: { kind: 'handed' }, policy: 'a', mailboxId: 'mailbox:a' }] },
    ],
    refused: [
      ['outcomes.0.fate', { kind: 'lost' }],
      ['outcomes.0.policy', undefined],
      ['labels', {}],
    ],
  });
  schemaCases('a test of policies', policyTestBody, {
    valid: [{ labels: { alertname: 'ServiceDown' } }],
    refused: [
      ['labels', undefined],
      ['labels.alertname', 1],
      ['status', 'pending'],
    ],
  });
  schemaCases('an answer to it', policyTestAnswer, {
    valid: [
      {
        items: [
          {
            policy: 'a',
            runbook: 'a',
            verdict: 'matcher',
            matcher: 'a="b"',
            groupId: 'all~1',
            targets: 't',
          },
        ],
      },
    ],
    refused: [['items.0.verdict', 'maybe']],
  });
  schemaCases('readiness', readiness, {
    valid: [{ ready: true, checks: [{ name: 'redis', ok: true, detail: 'ok' }] }],
    refused: [['checks.0.ok', 'ok']],
  });
  schemaCases('the run file', runFile, {
    valid: [
      {
        pid: 1,
        pids: { api: 2 },
        token: 't'.repeat(16),
        api: { url: 'http://127.0.0.1:8450' },
        gateway: { url: 'http://127.0.0.1:8452' },
        temporal: { address: '127.0.0.1:7233', ui: null },
      },
    ],
    refused: [
      ['pid', 0],
      ['token', 'short'],
      ['api.url', 'nowhere'],
      ['temporal', undefined],
    ],
  });
});
