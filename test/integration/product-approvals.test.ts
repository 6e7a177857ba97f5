import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readAudit } from '../../platform/audit.ts';
import { systemClock } from '../../platform/clock.ts';
import { aBody, anEntry } from '../support/alertmanager-posts.ts';
import { runInProcess } from '../support/cli-run.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningProduct, startProduct } from '../support/product.ts';

const runbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: note
steps:
  - name: write
    script: { inline: 'echo "$1" >> "$DEMO_DIR/note"', args: ["\${labels.note}"] }
    contract: repeatable
    rollout: { batches: 1 }
verify: { probe: { script: { inline: 'test -s "$DEMO_DIR/note"' } }, within: 20s }
`;
const readyRunbook = `
apiVersion: fixpoint/v1
kind: Runbook
name: ready
steps:
  - name: check
    script: { inline: 'echo "$1" >> "$DEMO_DIR/checked"; test -e "$DEMO_DIR/ready"', args: ["\${labels.note}"] }
    contract: repeatable
verify: { probe: { script: { inline: 'test -e "$DEMO_DIR/ready"' } }, within: 5s }
`;
// It does not say autonomy: so it asks.
const policy = `
apiVersion: fixpoint/v1
kind: Policy
name: note
match: { source: alertmanager, matchers: ['alertname="Note"'] }
group: { by: [note], wait: 0s }
targets: { from: { label: instance, strip: port, by: hostname } }
guards: { cooldown: 1s }
runbook: note
`;
const tokens = {
  vera: 'token-of-vera-123',
  bob: 'token-of-bob-1234',
  anna: 'token-of-anna-123',
} as const;
type Name = keyof typeof tokens;

describe('approvals and runs by hand in the running product', () => {
  let product: RunningProduct;
  before(async () => {
    product = await startProduct({
      policies: { 'note.yaml': policy },
      runbooks: { 'note.yaml': runbook, 'ready.yaml': readyRunbook },
      env: {
        FIXPOINT_OPERATOR_TOKENS: `vera:viewer:${tokens.vera}\nbob:operator:${tokens.bob}\nanna:approver:${tokens.anna}`,
      },
    });
  });
  after(async () => {
    await product?.stop();
  });

  const cli = (name: Name, ...argv: readonly string[]) =>
    runInProcess(argv, {
      environment: {
        FIXPOINT_URL: product.run().api.url,
        FIXPOINT_GATEWAY_URL: product.run().gateway.url,
        FIXPOINT_TOKEN: tokens[name],
      },
      clock: systemClock,
    });
  const notesOn = (agent: string, name = 'note'): string => {
    const file = join(product.demoFolder(agent), name);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  };
  const all = ['agent-1', 'agent-2', 'agent-3'];

  it('a plan by hand shows hosts, batches and guards, and acts on none', async () => {
    const select = ['--select', 'name=~"agent-.*"', '--label', 'note=plan'];

    const plan = await cli('vera', 'run', 'plan', 'note', ...select, '--batches', '1 2');
    const start = await cli('vera', 'run', 'start', 'note', ...select);
    const nobody = await cli('vera', 'run', 'plan', 'note', '--hosts', 'agent-1,agent-9');

    assert.equal(plan.status, 0, plan.err);
    assert.match(plan.out, /would {3}write: 2 batches of 1, 2 hosts/);
    assert.match(plan.out, /zone=a: 1 of 1 agents, 1 may be held at once/);
    assert.match(plan.out, /agent-3/);
    assert.equal(start.status, 5);
    assert.match(start.err, /vera is viewer and may not do this: start/);
    assert.equal(nobody.status, 5);
    assert.match(nobody.out, /no_target: no agent has the id or name agent-9/);
    assert.deepEqual(
      all.map((agent) => notesOn(agent)),
      ['', '', ''],
    );
  });

  it('a run by hand waits for another person, and acts on the hosts that were named', async () => {
    const argv = ['run', 'start', 'note', '--hosts', 'agent-1', '-l', 'note=by hand'];
    const asking = [...argv, '--approve', '1', '--id', 'first', '-o', 'json'];

    const started = await cli('bob', ...asking);
    const again = await cli('bob', ...asking);
    const other = await cli('bob', ...asking, '-l', 'note=other');
    const { id } = JSON.parse(started.out) as { id: string };
    await eventually(async () =>
      assert.equal((await product.progress(id)).state, 'awaiting_approval'),
    );
    const own = await cli('bob', 'rem', 'approve', id);
    const notes = notesOn('agent-1');
    const approved = await cli('anna', 'rem', 'approve', id, '--reason', 'looked at it');
    const tail = await cli('anna', 'rem', 'tail', id, '--timeout', '60s');
    const shown = await cli('vera', 'rem', 'show', id);

    assert.equal(id, 'remediation:manual:note:first');
    assert.deepEqual([started.status, again.status, other.status], [0, 0, 2]);
    assert.deepEqual([own.status, notes], [5, '']);
    assert.equal(approved.status, 0, approved.err);
    assert.match(
      approved.err,
      /^plan [0-9a-f]{12}: note on 1 hosts\napproved \(1 of 1 approvals\)/,
    );
    assert.deepEqual([tail.status, notesOn('agent-1')], [0, 'by hand\n']);
    assert.match(shown.out, /decided .* anna: approve, looked at it/);
    assert.deepEqual([notesOn('agent-2'), notesOn('agent-3')], ['', '']);
    const records = await readAudit(join(product.state, 'audit'));
    const acts = records
      .filter(({ object }) => object === id)
      .map(({ kind, actor }) => [kind, actor]);
    assert.deepEqual(acts, [
      ['remediation.start', 'bob'],
      ['remediation.start', 'bob'],
      ['remediation.start', 'bob'],
      ['remediation.approve', 'anna'],
      ['remediation.ended', 'fixpoint'],
    ]);
  });

  it('an alert of a policy that does not say asks; by plain requests it is approved for what was seen', async () => {
    const labels = { alertname: 'Note', instance: 'agent-2:1', note: 'by alert' };
    const entry = anEntry({ labels, startsAt: new Date().toISOString() });
    assert.equal((await product.webhook(aBody([entry]))).status, 200);
    const row = await eventually(
      async () => {
        const found = (await product.remediations()).find((each) => each.policy === 'note');
        assert.equal(found?.state, 'awaiting_approval');
        return found;
      },
      { withinMs: 20_000 },
    );
    const { approval, reason } = await product.progress(row.id);
    const approve = (digest: string) =>
      product.api(`/v1/remediations/${encodeURIComponent(row.id)}/approve`, {
        method: 'POST',
        headers: { authorization: `Bearer ${tokens.anna}` },
        body: JSON.stringify({ digest }),
      });

    const stale = await approve('0'.repeat(12));
    const notes = notesOn('agent-2');
    const approved = await approve(approval?.digest ?? '');

    assert.match(reason ?? '', /^waits for 1 approval until/);
    assert.deepEqual([stale.status, notes, approved.status], [409, '', 202]);
    const ended = await product.ended(({ id }) => id === row.id);
    assert.deepEqual([ended.state, notesOn('agent-2')], ['verified', 'by alert\n']);
  });

  it('after its end the hosts that failed are tried again by a run of its own, and no others', async () => {
    const ready = (agent: string) => writeFileSync(join(product.demoFolder(agent), 'ready'), '');
    const argv = ['run', 'start', 'ready', '--hosts', 'agent-1,agent-2', '-l', 'note=once', '-o'];
    ready('agent-1');

    const { out } = await cli('bob', ...argv, 'json');
    const { id } = JSON.parse(out) as { id: string };
    const failed = await cli('bob', 'rem', 'tail', id, '--timeout', '60s');
    ready('agent-2');
    const unasked = await cli('anna', 'rem', 'retry', id, '--failed', '--reason', 'is ready');
    const retried = await cli(
      'bob',
      'rem',
      'retry',
      id,
      '--failed',
      '--reason',
      'is ready',
      '-o',
      'json',
    );
    const again = JSON.parse(retried.out) as { id: string; state: string; answer: string };
    const verified = await cli('bob', 'rem', 'tail', again.id, '--timeout', '60s');
    const nothing = await cli('bob', 'rem', 'retry', again.id, '--failed', '--reason', 'more');

    assert.equal(failed.status, 3, failed.out);
    assert.deepEqual([unasked.status, retried.status], [5, 0], unasked.err + retried.err);
    assert.deepEqual([again.state, again.answer], ['started', `on 1 host that failed in ${id}`]);
    assert.equal(verified.status, 0, verified.out);
    assert.deepEqual(
      ['agent-1', 'agent-2'].map((agent) => notesOn(agent, 'checked')),
      ['once\n', 'once\nonce\n'],
    );
    assert.equal(nothing.status, 2, nothing.err);
    assert.match(nothing.err, /no host failed that may be tried again/);
  });

  it('while the kill switch is on a run by hand is refused with the reason', async () => {
    const stop = await cli('anna', 'control', 'stop', '--reason', 'rack c burns');

    const start = await cli('bob', 'run', 'start', 'note', '--hosts', 'agent-3', '-l', 'note=x');

    assert.deepEqual([stop.status, start.status], [0, 5]);
    assert.match(start.err, /nothing may start on any host: rack c burns \(anna\)/);
    assert.equal(notesOn('agent-3'), '');
  });
});
