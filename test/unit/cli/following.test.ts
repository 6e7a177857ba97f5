import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { FakeTerminal, runInProcess } from '../../support/cli-run.ts';
import { FakeApi } from '../../support/fake-api.ts';
import { anAgent, detail, id, route, row } from '../../support/repair-answers.ts';

describe('following a remediation', () => {
  let api: FakeApi;
  let environment: Record<string, string>;
  before(async () => {
    api = await FakeApi.start();
    environment = api.environment;
  });
  beforeEach(() => void api.asked.splice(0));
  after(() => api.stop());

  it('tail prints each change once and ends with the status of the outcome', async () => {
    const looks = [
      detail('planning', ''),
      detail('running', '.'),
      detail('running', '.'),
      detail('failed', 'f'),
    ];
    api.on(route, () => ({ body: looks.length > 1 ? looks.shift() : looks[0] }));

    const { status, out } = await runInProcess(['rem', 'tail', id], { environment });

    assert.equal(status, 1);
    assert.deepEqual(
      out.split('\n').map((line) => line.replace(/^[\d:]{8} {2}/, '')),
      [
        id,
        'planning',
        'step start, batch 1, attempt 1: submitting',
        'running',
        'step start, batch 1, attempt 1: .',
        'step start, batch 1, attempt 1: f',
        'failed',
        '',
      ],
    );
  });

  it('tail draws over its own picture on a terminal, and nothing else moves the cursor', async () => {
    const looks = [detail('running', '.'), detail('verified', 's')];
    api.on(route, () => ({ body: looks.length > 1 ? looks.shift() : looks[0] }));
    const terminal = new FakeTerminal({ isTty: true });

    const { status, out } = await runInProcess(['rem', 'tail', id], { environment, terminal });

    assert.equal(status, 0);
    assert.equal(out.split('\u001b[8A\u001b[J').length, 2);
    assert.match(out, /Demo\[2JServiceDown \(1 open, 0 over\)/);
    assert.match(out, /agent-2 {2}s succeeded/);
  });

  it('tail last waits for the repair that a newer alert asks for, not for any other', async () => {
    const newer = { ...row, id: `${id}1`, state: 'running' };
    const lists = [[row], [row], [newer, row]];
    const delivery = {
      deliveryId: 'd'.repeat(26),
      source: 'alertmanager',
      fingerprint: 'f',
      name: 'DemoServiceDown',
      status: 'firing',
      startsAt: row.endedAt,
      receivedAt: row.endedAt,
      outcomes: [{ fate: { kind: 'handed' }, policy: 'demo-service', mailboxId: 'mailbox:x' }],
      labels: [],
    };
    api.on('GET /v1/alerts', { body: { items: [delivery], next: null } });
    api.on('GET /v1/remediations', () => ({
      body: { items: lists.length > 1 ? lists.shift() : lists[0], next: null },
    }));
    api.on(`${route}1`, { body: { ...detail('verified', 's'), id: `${id}1` } });

    const { status, out } = await runInProcess(['rem', 'tail', 'last'], { environment });

    assert.equal(status, 0);
    assert.match(out, new RegExp(`^${id}1\n`));

    api.on('GET /v1/alerts', { body: { items: [], next: null } });
    api.on('GET /v1/remediations', { body: { items: [row], next: null } });
    api.on(route, { body: detail('verified', 's') });
    const quiet = await runInProcess(['rem', 'tail', 'last'], { environment });
    assert.match(quiet.out, new RegExp(`^${id}\n`));
    assert.doesNotMatch(quiet.err, /note/);

    api.on('GET /v1/alerts', { body: { items: [delivery], next: null } });
    const late = await runInProcess(['rem', 'tail', 'last', '--wait', '1ms'], { environment });
    assert.match(late.out, new RegExp(`^${id}\n`));
    assert.match(late.err, /no repair of the newest alert has begun; ask: .*alert why last/);
  });

  it('tail ends with 124 at its time-out and 130 by Ctrl-C, and says that the repair goes on', async () => {
    api.on(route, { body: detail('running', '.') });
    const pressed = new AbortController();
    api.on(`${route}2`, () => {
      pressed.abort();
      return { body: detail('running', '.') };
    });

    const late = await runInProcess(['rem', 'tail', id, '--timeout', '2s'], { environment });
    const stopped = await runInProcess(['rem', 'tail', `${id}2`], {
      environment,
      interrupted: pressed.signal,
    });

    assert.equal(late.status, 124);
    assert.equal(stopped.status, 130);
    assert.match(
      late.err + stopped.err,
      /it goes on:[\s\S]*the remediation goes on: fixpoint remediation tail/,
    );
  });

  it('show explains a failed host and names the next command', async () => {
    const { taskIdOf } = await import('../../../domain/ids.ts');
    const { sha256 } = await import('../../../platform/digest.ts');
    const taskId = taskIdOf(`${id}/start/1/1`, sha256);
    api.on(route, { body: detail('failed', 'f') });
    api.on(`GET /v1/tasks/${taskId}`, {
      body: {
        taskId,
        key: `${id}/start/1/1`,
        state: 'finished',
        size: 1,
        letters: 'f',
        failures: [{ agentId: '0123456789ab', state: 'failed', reason: 'exit_code', exitCode: 7 }],
      },
    });

    const { status, out } = await runInProcess(['rem', 'show', id], { environment });

    assert.equal(status, 1);
    assert.match(
      out,
      /agent-2, step start: failed \(exit status 7\): the script ended with a status/,
    );
    assert.match(out, new RegExp(`fixpoint task output ${taskId} agent-2 --stderr`));
    assert.match(out, new RegExp(`next: fixpoint task show ${taskId}`));
  });

  it('show says how long an agent has been away that no job could reach', async () => {
    const { taskIdOf } = await import('../../../domain/ids.ts');
    const { sha256 } = await import('../../../platform/digest.ts');
    const taskId = taskIdOf(`${id}/start/1/1`, sha256);
    const failure = { agentId: '0123456789ab', state: 'unreachable', reason: 'offline' };
    api.on(route, { body: detail('failed', 'x') });
    api.on(`GET /v1/tasks/${taskId}`, {
      body: {
        ...{ taskId, key: `${id}/start/1/1`, state: 'finished', size: 1, letters: 'x' },
        failures: [{ ...failure, exitCode: null }],
      },
    });
    api.on('POST /v1/agents/query', { body: { items: [anAgent('0123456789ab', 2)], missing: [] } });

    const { out } = await runInProcess(['rem', 'show', id], { environment });

    assert.match(
      out,
      /agent-2, step start: unreachable: agent offline for \d+ d; last seen 2026-03/,
    );
  });
});
