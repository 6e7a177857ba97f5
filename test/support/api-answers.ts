import type { DeliveryView, RemediationDetail } from '../../contracts/http.ts';
import type { AgentView, TaskReport } from '../../contracts/task.ts';
import { taskIdOf } from '../../domain/ids.ts';
import { sha256 } from '../../platform/digest.ts';
import type { FakeApi } from './fake-api.ts';

const id = 'remediation:demo-service:demo-agent-2~0badcafe:12345678-1';
const agentId = '0123456789ab';
const key = `${id}/start/1/1`;
const taskId = taskIdOf(key, sha256);

/** One healed demo service, as the api and the gateway tell of it. */
export const told = {
  detail: {
    id,
    state: 'verified',
    policy: 'demo-service',
    runbook: 'demo-service',
    group: 'demo-agent-2~0badcafe',
    severity: 'page',
    hosts: 1,
    hostsFailed: 0,
    startedAt: '2026-03-04T05:06:07.000Z',
    endedAt: '2026-03-04T05:06:09.000Z',
    runId: 'run-1',
    progress: {
      remediationId: id,
      policy: 'demo-service',
      runbook: 'demo-service',
      state: 'verified',
      reason: null,
      hosts: 1,
      hostsFailed: 0,
      episodes: [{ id: 'b9c767e3c714ee15@1', name: 'DemoServiceDown', open: true }],
      steps: [{ name: 'start', batches: [{ batch: 1, attempt: 1, letters: 's', taskKey: key }] }],
      targets: [{ agentId, name: 'agent-2', letter: 's' }],
    },
  } satisfies RemediationDetail,
  delivery: {
    deliveryId: 'd'.repeat(26),
    source: 'alertmanager',
    fingerprint: 'b9c767e3c714ee15',
    name: 'DemoServiceDown',
    status: 'firing',
    startsAt: '2026-03-04T05:06:05Z',
    receivedAt: '2026-03-04T05:06:06.000Z',
    outcomes: [
      {
        fate: { kind: 'handed' },
        policy: 'demo-service',
        mailboxId: 'mailbox:demo-service:demo-agent-2~0badcafe',
      },
    ],
    labels: [
      ['alertname', 'DemoServiceDown'],
      ['instance', 'agent-2:8482'],
    ],
  } satisfies DeliveryView,
  agent: {
    id: agentId,
    name: 'agent-2',
    state: 'online',
    journalId: '0'.repeat(26),
    labels: { name: 'agent-2', hostname: 'agent-2' },
    gatewayId: 'gateway-1',
    sessionId: 's'.repeat(16),
    lastSeenAt: 1_772_600_000_000,
    version: '0.1.0',
    clockOffsetMs: null,
    lock: null,
  } satisfies AgentView,
  task: {
    taskId,
    key,
    state: 'finished',
    size: 1,
    letters: 's',
    failures: [],
  } satisfies TaskReport,
  output: 'the demo service was started, pid 42\n',
} as const;

/** Lets a fake answer all that the command line asks about that repair, as the two servers do. */
export function tellOfHealedService(fake: FakeApi): FakeApi {
  const { progress, ...row } = told.detail;
  const page = (...items: readonly unknown[]) => ({ body: { items, next: null } });
  const at = (path: string) => `/v1/remediations/${encodeURIComponent(path)}`;
  const job = {
    ...{ agentId, jobId: `${taskId}.${agentId}` },
    report: {
      ...{ state: 'succeeded', reason: null, exitCode: 0, signal: null, note: null },
      ...{ startedAt: 1, finishedAt: 2, stdoutBytes: told.output.length, stderrBytes: 0 },
    },
  };
  const control = { revision: 1, stopped: false, reason: '', by: 'start', at: 0 };
  const verdict = { policy: 'demo-service', runbook: 'demo-service', groupId: row.group };
  return fake
    .on('GET /readyz', { body: { ready: true, checks: [{ name: 'redis', ok: true, detail: '' }] } })
    .on('GET /v1/remediations', page(row))
    .on(`GET ${at(id)}`, { body: { ...row, progress } })
    .on(`POST ${at(id)}/cancel`, {
      status: 410,
      body: { code: 'gone', message: 'the remediation ended already: completed' },
    })
    .on('GET /v1/alerts', ({ path }) =>
      path.includes('quarantined=true') ? page() : page(told.delivery),
    )
    .on(`GET /v1/alerts/${told.delivery.deliveryId}`, { body: told.delivery })
    .on('GET /v1/control', { body: control })
    .on('POST /v1/policies/test', {
      body: {
        items: [
          {
            ...verdict,
            verdict: 'taken',
            matcher: null,
            targets: 'label instance is the hostname',
          },
        ],
      },
    })
    .on('GET /v1/agents', page(told.agent))
    .on('GET /v1/agents/agent-2', { body: told.agent })
    .on(`GET /v1/tasks/${taskId}`, { body: told.task })
    .on(`POST /v1/tasks/${taskId}/cancel`, { body: told.task })
    .on(`GET /v1/tasks/${taskId}/jobs`, page(job))
    .on(`GET /v1/tasks/${taskId}/jobs/agent-2/output`, ({ path }) => {
      const offset = Number(new URL(path, fake.url).searchParams.get('offset'));
      return { body: new Uint8Array(Buffer.from(told.output).subarray(offset)) };
    });
}
