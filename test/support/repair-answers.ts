import { told } from './api-answers.ts';

const { progress: healed, ...repair } = told.detail;

/** A repair as the api tells of it: its row in the list, its id, and all of it in some state. */
export const row = repair;
export const { id } = row;
export const detail = (state: string, letters: string) => ({
  ...row,
  state,
  progress: {
    ...healed,
    state,
    episodes: [{ id: 'e', name: 'Demo\u001b[2JServiceDown', open: true }],
    steps: [
      { name: 'start', batches: [{ batch: 1, attempt: 1, letters, taskKey: `${id}/start/1/1` }] },
    ],
    targets: healed.targets.map((target) => ({ ...target, letter: letters })),
  },
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
