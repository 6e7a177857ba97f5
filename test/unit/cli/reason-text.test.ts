import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { reasonText } from '../../../cli/reason-text.ts';
import type { AgentView } from '../../../contracts/task.ts';
import { reasonHints } from '../../../domain/job.ts';

const now = Date.UTC(2026, 2, 4, 5, 6, 7);
const anAgent = (over: Partial<AgentView>): AgentView => ({
  ...{ id: '0123456789ab', name: 'web1', state: 'offline', journalId: '', labels: {} },
  ...{ gatewayId: null, sessionId: null, lastSeenAt: now - 240_000, version: '0.1.0', lock: null },
  clockOffsetMs: null,
  ...over,
});

describe('the reason of a job', () => {
  it('of an agent that is away says for how long, and when it was last seen', () => {
    assert.equal(
      reasonText('offline', { agent: anAgent({}), now }),
      'agent offline for 4 min; last seen 2026-03-04T05:02:07.000Z; nothing ran. `fixpoint agent show web1`',
    );
  });

  it('of an agent that was never here, or is back, says that', () => {
    const never = anAgent({ state: 'never_seen', lastSeenAt: null });
    const back = anAgent({ state: 'online' });

    assert.match(reasonText('offline', { agent: never, now }), /^the agent was never here/);
    assert.match(reasonText('offline', { agent: back, now }), /is online now/);
  });

  it('of a locked agent says who locked it and why', () => {
    const lock = { reason: 'disk image was copied', by: 'ann', at: now - 60_000 };
    const agent = anAgent({ state: 'locked', lock });

    assert.equal(
      reasonText('locked', { agent, now }),
      'agent locked by ann 60 s ago: disk image was copied; nothing ran',
    );
  });

  it('is else its hint, and what a newer agent says is told as it is', () => {
    const { agent } = { agent: anAgent({}) };

    assert.equal(reasonText('busy', { agent, now }), reasonHints['busy']);
    assert.equal(reasonText('offline', { agent: undefined, now }), reasonHints['offline']);
    assert.equal(reasonText('no_such_moon', { agent, now }), 'no_such_moon');
    assert.equal(reasonText('constructor', { agent, now }), 'constructor');
  });
});
