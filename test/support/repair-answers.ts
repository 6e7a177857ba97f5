/** A repair as the api tells of it: its id, its row in the list, how far it is, and all of it. */
export const id = 'remediation:demo-service:demo-agent-2~0badcafe:12345678-1';
export const row = {
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
};
export const progress = (state: string, letters: string) => ({
  remediationId: id,
  policy: 'demo-service',
  runbook: 'demo-service',
  state,
  reason: null,
  hosts: 1,
  hostsFailed: 0,
  episodes: [{ id: 'e', name: 'Demo\u001b[2JServiceDown', open: true }],
  steps: [
    { name: 'start', batches: [{ batch: 1, attempt: 1, letters, taskKey: `${id}/start/1/1` }] },
  ],
  targets: [{ agentId: '0123456789ab', name: 'agent-2', letter: letters }],
});
export const detail = (state: string, letters: string) => ({
  ...row,
  state,
  progress: progress(state, letters),
});
/** An agent that was last heard on 4 March 2026. */
export const anAgent = (agentId: string, number: number) => ({
  ...{
    id: agentId,
    name: `web-${number}`,
    state: 'offline',
    journalId: 'a0b1c2d3e4f5g6h7j8k9m0n1p2',
  },
  ...{ labels: { zone: 'a' }, gatewayId: 'gateway-1', sessionId: null },
  ...{ lastSeenAt: Date.UTC(2026, 2, 4), version: '0.1.0', lock: null },
});
/** What asks for that repair. */
export const route = `GET /v1/remediations/${encodeURIComponent(id)}`;
