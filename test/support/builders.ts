import type { AdmitAnswer } from '../../contracts/admission.ts';
import type { FrozenRunbook, FrozenScript, FrozenStep } from '../../contracts/frozen.ts';
import { defaultClocks } from '../../contracts/limits.ts';
import type { TaskReport, TaskSubmit } from '../../contracts/task.ts';
import type {
  AlertRef,
  Episode,
  MailboxSettings,
  PlannedTarget,
  RemediationInput,
} from '../../contracts/temporal.ts';
import { isRefusedForNow, notThereStatus } from '../../domain/job.ts';

/** Values with sensible defaults; a test names only what it is about. */
export const anAlert = (over: Partial<AlertRef> = {}): AlertRef => ({
  fingerprint: 'aaaaaaaaaaaaaaaa',
  status: 'firing',
  startsAt: '2026-01-01T00:00:10Z',
  endsAt: null,
  name: 'ServiceDown',
  severity: 'page',
  labels: [
    ['alertname', 'ServiceDown'],
    ['instance', 'web1:9100'],
    ['service', 'web'],
  ],
  deliveryId: 'a'.repeat(26),
  receivedAtMs: 1_000,
  late: false,
  ...over,
});

export const aResolved = (over: Partial<AlertRef> = {}): AlertRef =>
  anAlert({ status: 'resolved', endsAt: '2026-01-01T00:05:00Z', ...over });

export const anEpisode = (over: Partial<Episode> = {}): Episode => {
  const { fingerprint, name, severity, labels, startsAt } = anAlert();
  return { id: `${fingerprint}@1`, fingerprint, name, severity, labels, startsAt, ...over };
};

/** A task for one host, whose script does nothing. */
export const aSubmit = (over: Partial<TaskSubmit> = {}): TaskSubmit => ({
  version: 1,
  slot: 'remediation:test/restart',
  attempt: 1,
  action: aScript().action,
  targets: [{ agentId: '0123456789ab', journalId: '0'.repeat(26) }],
  limits: { timeoutMs: 10_000, outputBytes: 1_000 },
  notAfter: 60_000,
  deadline: 120_000,
  callback: null,
  ...over,
});

export const aScript = (over: Partial<FrozenScript['action']> = {}): FrozenScript => ({
  action: {
    kind: 'script',
    interpreter: 'sh',
    content: 'exit 0\n',
    args: [],
    env: {},
    secretEnv: {},
    stdin: { kind: 'none' },
    cwd: null,
    ...over,
  },
  alertsOnStdin: false,
  digest: `sha256:${'0'.repeat(64)}`,
});

export const aStep = (over: Partial<FrozenStep> = {}): FrozenStep => ({
  name: 'restart',
  script: aScript(),
  timeoutMs: 60_000,
  contract: 'repeatable',
  retry: { attempts: 1, backoffMs: 10_000, on: [] },
  rollout: { batchSize: 500, maxFailures: 0, soakMs: 0 },
  ...over,
});

export const aRunbook = (over: Partial<FrozenRunbook> = {}): FrozenRunbook => ({
  name: 'restart-web',
  digest: 'sha256:runbook',
  steps: [aStep()],
  verify: { probe: { script: aScript(), timeoutMs: 10_000 }, withinMs: 300_000 },
  ...over,
});

export const someTargets = (count: number): readonly PlannedTarget[] =>
  Array.from({ length: count }, (_, at) => ({
    agentId: `a${String(at).padStart(11, '0')}`,
    journalId: `j${String(at).padStart(25, '0')}`,
    episodes: [0],
    name: `web${at}`,
  }));

export const aRemediation = (over: Partial<RemediationInput> = {}): RemediationInput => ({
  remediationId: 'remediation:restart-web:web~00000000:12345678-1',
  mailboxId: 'mailbox:restart-web:web~00000000',
  trigger: 'alert',
  policy: {
    name: 'restart-web',
    digest: 'sha256:policy',
    targets: {
      from: { label: 'instance', strip: 'port', by: 'hostname' },
      select: null,
      onMissing: 'refuse',
    },
    onResolved: 'drop',
  },
  runbook: aRunbook(),
  groupId: 'web~00000000',
  episodes: [anEpisode()],
  clocks: defaultClocks,
  callbackUrl: 'http://127.0.0.1:8450/v1/callbacks/tasks',
  ...over,
});

export const someSettings = (over: Partial<MailboxSettings> = {}): MailboxSettings => ({
  waitMs: 5_000,
  groupMax: 500,
  cooldownMs: 900_000,
  maxRuns: { count: 3, windowMs: 3_600_000 },
  lingerMinMs: 900_000,
  signalsMax: 1_000,
  ...over,
});

/** The governor's answer to whoever asks alone: every host is granted. */
export const allGranted = (hosts: number): AdmitAnswer => ({
  letters: 'g'.repeat(hosts),
  refusals: [],
  services: [],
  of: new Array<number>(hosts).fill(-1),
});

/** The report of a task that ended with these letters. */
export function aReport(
  key: string,
  task: TaskSubmit,
  letters: string,
  of: { readonly exitCode?: number | null; readonly reason?: string | null } = {},
): TaskReport {
  const { exitCode = null, reason = null } = of;
  const where = (letter: string) =>
    [...letters].flatMap((each, at) => (each === letter ? [at] : []));
  const states: Record<string, TaskReport['failures'][number]['state']> = {
    f: 'failed',
    t: 'timed_out',
    c: 'cancelled',
    r: 'refused',
    e: 'expired',
    x: 'unreachable',
    n: 'not_enrolled',
    u: 'unknown',
  };
  return {
    taskId: `t${'a'.repeat(25)}`,
    key,
    state: letters.includes('.') ? 'open' : 'finished',
    size: letters.length,
    letters,
    ...(exitCode === notThereStatus ? { notThere: where('f') } : {}),
    ...(isRefusedForNow('refused', reason) ? { notNow: where('r') } : {}),
    failures: task.targets
      .flatMap(({ agentId }, at) => {
        const state = states[letters.charAt(at)];
        return state === undefined ? [] : [{ agentId, state, reason, exitCode }];
      })
      .slice(0, 20),
  };
}
