import type { EscalationInput } from '../../contracts/escalation.ts';

/** An escalation of a repair that failed. */
export const anEscalation = (over: Partial<EscalationInput> = {}): EscalationInput => ({
  policy: 'restart-web',
  url: 'http://127.0.0.1:1/hook',
  retryMs: 86_400_000,
  body: {
    type: 'remediation.failed',
    timestamp: '2026-01-01T00:00:00.000Z',
    data: {
      remediationId: 'remediation:restart-web:web~00000000:12345678-1',
      state: 'failed',
      reason: 'no host came through',
      policy: 'restart-web',
      runbook: 'restart-web',
      account: 'ServiceDown fired.',
      alerts: ['ServiceDown'],
      hosts: 1,
      hostsFailed: 1,
      command: 'fixpoint remediation show remediation:restart-web:web~00000000:12345678-1',
    },
  },
  ...over,
});
