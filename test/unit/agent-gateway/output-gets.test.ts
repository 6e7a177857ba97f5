import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OutputGets } from '../../../agent-gateway/output-gets.ts';
import type { GatewayFrame } from '../../../contracts/frames.ts';
import { limits } from '../../../contracts/limits.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const agentId = '0123456789ab';
const range = {
  jobId: `t${'a'.repeat(25)}.${agentId}`,
  stream: 'stdout',
  offset: 5,
  limit: 3,
} as const;

function aLink(over: { readonly protocol?: number; readonly isOpen?: boolean } = {}) {
  const sent: Extract<GatewayFrame, { type: 'output-get' }>[] = [];
  const send = (frame: GatewayFrame) => frame.type === 'output-get' && sent.push(frame);
  const session = { isOpen: true, protocol: 2, send, ...over };
  const clock = new ManualClock();
  const gets = new OutputGets({ session: () => session, outputGetMs: 5_000, clock });
  const answer = (id: number, offset: number, text: string) =>
    gets.answered(session, { kind: 'piece', id, offset, total: 99, data: Buffer.from(text) });
  return { gets, session, sent, clock, answer };
}

describe('questions for output', () => {
  it('an answer settles its own question, whatever the order', async () => {
    const { gets, sent, answer } = aLink();
    const first = gets.ask(agentId, range);
    const second = gets.ask(agentId, { ...range, offset: 8 });

    assert.equal(answer(sent[1]?.id ?? 0, 8, 'def'), true);
    assert.equal(answer(sent[0]?.id ?? 0, 5, 'abc'), true);

    assert.deepEqual(await first, { kind: 'piece', total: 99, data: Buffer.from('abc') });
    assert.deepEqual(await second, { kind: 'piece', total: 99, data: Buffer.from('def') });
  });

  it('an agent that does not answer is waited for no longer than the clock says', async () => {
    const { gets, sent, clock, answer } = aLink();
    const asked = gets.ask(agentId, range);

    clock.advance(5_000);

    assert.deepEqual(await asked, { kind: 'silent' });
    assert.equal(answer(sent[0]?.id ?? 0, 5, 'abc'), true);
  });

  it('a link that ends ends its questions, and others may be asked after it', async () => {
    const { gets, session } = aLink();
    const asked = Array.from({ length: limits.outputGetsMax }, () => gets.ask(agentId, range));
    const tooMany = gets.ask(agentId, range);

    gets.closed(session);

    assert.deepEqual(await tooMany, { kind: 'busy' });
    for (const each of asked) assert.deepEqual(await each, { kind: 'offline' });
  });

  it('what was not asked for is no answer', () => {
    const { gets, sent, session, answer } = aLink();
    void gets.ask(agentId, range);
    const id = sent[0]?.id ?? 0;

    assert.equal(answer(id + 1, 5, 'abc'), false);
    assert.equal(answer(id, 6, 'abc'), false);
    assert.equal(answer(id, 5, 'abcd'), false);
    gets.closed(session);
  });

  it('an agent that is away, or too old to be asked, is said to be', async () => {
    const away = aLink({ isOpen: false });
    const old = aLink({ protocol: 1 });

    assert.deepEqual(await away.gets.ask(agentId, range), { kind: 'offline' });
    assert.deepEqual(await old.gets.ask(agentId, range), { kind: 'too_old' });
    assert.equal(old.sent.length, 0);
  });
});
