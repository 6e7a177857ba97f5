import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { plainReport } from '../../../domain/job.ts';
import { FakeTerminal, runInProcess } from '../../support/cli-run.ts';
import { FakeApi } from '../../support/fake-api.ts';
import { anAgent, id, row } from '../../support/repair-answers.ts';

describe('a command line', () => {
  let api: FakeApi;
  let environment: Record<string, string>;
  before(async () => {
    api = await FakeApi.start();
    environment = api.environment;
  });
  beforeEach(() => void api.asked.splice(0));
  after(() => api.stop());

  it('lists as a table for people, without control characters', async () => {
    api.on('GET /v1/remediations', {
      body: { items: [{ ...row, policy: 'a\u001b[2Jb' }], next: null },
    });

    const { status, out } = await runInProcess(['rem', 'ls'], { environment });

    assert.equal(status, 0);
    assert.match(out, /^STATE +POLICY +HOSTS/);
    assert.match(out, /verified +a\[2Jb/);
    assert.equal(api.asked[0]?.authorization, 'Bearer secret-token');
  });

  it('says of a filter that nothing passes that there may be others, and takes only states that there are', async () => {
    api.on('GET /v1/remediations', { body: { items: [], next: null } });

    const filtered = await runInProcess(['rem', 'ls', '--state', 'failed'], { environment });
    const all = await runInProcess(['rem', 'ls'], { environment });
    const mistyped = await runInProcess(['rem', 'ls', '--state', 'fialed'], { environment });

    assert.match(filtered.err, /no remediation is in that state/);
    assert.match(all.err, /no remediation yet/);
    assert.equal(mistyped.status, 2);
  });

  it('lists as one JSON array whose entries have id and state', async () => {
    api.on('GET /v1/remediations', { body: { items: [row], next: null } });

    const { out } = await runInProcess(['remediation', 'ls', '-o', 'json'], { environment });

    assert.deepEqual(JSON.parse(out), [row]);
  });

  it('an unreachable server ends with 7 and says how to start one', async () => {
    const { status, err } = await runInProcess(['rem', 'ls', '--url', 'http://127.0.0.1:1']);

    assert.equal(status, 7);
    assert.match(
      err,
      /^error: the api at http:\/\/127\.0\.0\.1:1 cannot be reached\nhint: .*npm start/,
    );
  });

  it('a refusal keeps its code, its flaws and its hint', async () => {
    api.on('GET /v1/control', {
      status: 423,
      body: {
        code: 'stopped',
        message: 'the kill switch is on\u001b[2J',
        flaws: [{ field: 'x', value: 'y', fix: 'z' }],
        hint: 'wait',
      },
    });

    const { status, err } = await runInProcess(['control', 'show'], { environment });

    assert.equal(status, 5);
    assert.equal(err, 'error: the kill switch is on[2J\n  x = y: z\nhint: wait\n');
  });

  it('a wrong token ends with 5, an unknown id with 6, another form of answer with 1', async () => {
    api.on('GET /v1/agents', { status: 401 });
    api.on('GET /v1/alerts', { body: { items: 'none' } });

    const statuses = await Promise.all(
      [
        ['agent', 'ls'],
        ['rem', 'show', 'remediation:never:was'],
        ['alert', 'ls'],
      ].map(async (argv) => (await runInProcess(argv, { environment })).status),
    );

    assert.deepEqual(statuses, [5, 6, 1]);
  });

  it('a lock is asked for by id, whatever name the operator gave', async () => {
    const agent = { id: '0123456789ab', name: 'web1', state: 'online', journalId: '0'.repeat(26) };
    const rest = { labels: {}, gatewayId: null, sessionId: null, lastSeenAt: null, version: null };
    const state = { revision: 1, stopped: false, reason: '', by: '', at: 0 };
    api.on('GET /v1/agents/web1', { body: { ...agent, ...rest } });
    api.on('PUT /v1/control/agents/0123456789ab', { body: state });

    const locked = await runInProcess(['agent', 'lock', 'web1', '--reason', 'copied'], {
      environment,
    });
    const wordless = await runInProcess(['agent', 'lock', 'web1'], { environment });

    assert.equal(locked.out, 'web1 is locked\n');
    assert.deepEqual(JSON.parse(api.asked.at(-1)?.body ?? ''), { locked: true, reason: 'copied' });
    assert.equal(wordless.status, 2);
  });

  it('a policy or a domain is stopped by its name, and shown with who, since when and why', async () => {
    const stop = { reason: 'worse', by: 'ada', at: 1_800_000_000_000 };
    const state = { revision: 1, stopped: false, reason: '', by: '', at: 0 };
    const stops = [{ ...stop, scope: { policy: 'web' } }];
    api.on('GET /v1/control', { body: { ...state, stops } });
    api.on('PUT /v1/control', { body: state });

    const stopped = await runInProcess(
      ['control', 'stop', '--policy', 'web', '--reason', 'worse', '--by', 'ada'],
      { environment },
    );
    const body = JSON.parse(api.asked.findLast(({ method }) => method === 'PUT')?.body ?? '');
    const both = await runInProcess(
      ['control', 'stop', '--policy', 'web', '--domain', 'zone=a', '--reason', 'x'],
      { environment },
    );
    const mute = await runInProcess(['control', 'allow', '--policy', 'web'], { environment });

    assert.deepEqual(body, {
      stopped: true,
      reason: 'worse',
      policy: 'web',
      operator_name: 'ada',
    });
    assert.match(stopped.out, /allowed: repairs may start, but for what is stopped below/);
    assert.match(stopped.out, /policy web +ada +2027-01-15T08:00:00.000Z +worse/);
    assert.deepEqual([both.status, mute.status], [2, 2]);
  });

  it('alerts of a file are tried: who takes them, which hosts, batches and guards; nothing is sent elsewhere', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'fixpoint-cli-')), 'alert.json');
    writeFileSync(file, '{"alerts": []}');
    const guard = {
      ...{ guard: 'guards.blastRadius zone=a', limit: '1 of 4 agents at once', use: '1 held now' },
      ...{ slack: 'none', holds: true, untilMs: null, remedy: 'raise guards.blastRadius' },
    };
    const plan = {
      ...{ policy: 'web', runbook: 'restart', groupId: 'web~1', alerts: 2, outcome: 'waits' },
      ...{ reason: 'guards.blastRadius zone=a', hosts: 3, skipped: ['web9'] },
      targets: [
        { agentId: 'a1', name: 'agent-1', because: 'instance="web1:9100" is hostname web1' },
      ],
      steps: [{ name: 'restart', batches: [1, 2] }],
      guards: [guard],
    };
    const verdicts = [
      { policy: 'web', verdict: 'taken', detail: null },
      { policy: 'lab', verdict: 'shielded', detail: 'env="lab"' },
    ];
    const alerts = [{ name: 'Down', fingerprint: 'f', status: 'firing', verdicts }];
    api.on('POST /v1/policies/test', { body: { items: [], alerts, plans: [plan] } });
    api.asked.length = 0;

    const { out, status } = await runInProcess(['policy', 'test', '--alert', file], {
      environment,
    });
    api.on('POST /v1/policies/test', { body: { items: [], alerts, plans: [] } });
    const none = await runInProcess(['policy', 'test', '--alert', file], { environment });
    const wordless = await runInProcess(['policy', 'test'], { environment });
    writeFileSync(file, 'no json');
    const broken = await runInProcess(['policy', 'test', '--alert', file], { environment });

    assert.equal(status, 0);
    for (const line of [
      /web +yes +all matchers hold/,
      /lab +no +guards.shield leaves it alone: env="lab"/,
      /policy web · runbook restart · group web~1 · 2 alerts/,
      /waits now: guards.blastRadius zone=a/,
      /agent-1 +a1 +instance="web1:9100" is hostname web1/,
      /and 2 more hosts|3 hosts/,
      /step restart: 2 batches of 1, 2 hosts/,
      /guards.blastRadius zone=a +holds +1 of 4 agents at once +1 held now +none/,
      /raise guards.blastRadius/,
    ]) {
      assert.match(out, line);
    }
    assert.deepEqual([none.status, wordless.status, broken.status], [1, 2, 2]);
    assert.match(none.out, /nothing would start/);
    assert.ok(api.asked.every(({ path }) => path === '/v1/policies/test'));
  });

  it('wrong usage ends with 2 and says what was meant', async () => {
    const typo = await runInProcess(['remediation', 'lst']);
    const option = await runInProcess(['rem', 'ls', '--limit', 'many']);

    assert.equal(typo.status, 2);
    assert.match(typo.err, /Did you mean ls\?/);
    assert.equal(option.status, 2);
    assert.match(option.err, /from 1 to 1000/);
  });

  it('help names every exit status and ends with 0', async () => {
    const { status, out } = await runInProcess(['--help']);

    assert.equal(status, 0);
    for (const code of [0, 1, 2, 3, 4, 5, 6, 7, 8, 124, 130]) {
      assert.match(out, new RegExp(`(^| )${code}  `, 'm'));
    }
  });

  it('task output gives a pipe the very bytes, and a terminal harmless text', async () => {
    const taskId = `t${'a'.repeat(25)}`;
    const whole = Buffer.from('漢字\u001b[2J\u0000\n');
    api.on(`GET /v1/tasks/${taskId}/jobs/0123456789ab/output`, ({ path }) => {
      const offset = Number(new URL(path, api.url).searchParams.get('offset'));
      return { body: new Uint8Array(whole.subarray(offset, offset + 4)) };
    });
    const pipe = new FakeTerminal({ isTty: false });
    const screen = new FakeTerminal({ isTty: true });
    const argv = ['task', 'output', taskId, '0123456789ab'];

    await runInProcess(argv, { environment, terminal: pipe });
    await runInProcess(argv, { environment, terminal: screen });

    assert.deepEqual(pipe.written.bytes, whole);
    assert.equal(screen.written.out, '漢字[2J\n');
  });

  it('task show says of each host why, with a hint, and hosts with one reason share a line', async () => {
    const taskId = `t${'b'.repeat(25)}`;
    const ids = ['0123456789ab', '1123456789ab', '2123456789ab'];
    const job = (agentId: string, state: string, reason: string | null) => ({
      ...{ agentId, jobId: `${taskId}.${agentId}` },
      report: { ...plainReport('queued', null), state, reason },
    });
    api.on(`GET /v1/tasks/${taskId}`, {
      body: {
        taskId,
        key: `${id}/start/1/1`,
        state: 'finished',
        size: 3,
        letters: 'xrr',
        failures: [],
      },
    });
    api.on(`GET /v1/tasks/${taskId}/jobs`, {
      body: {
        items: [
          job(ids[0] ?? '', 'unreachable', 'offline'),
          job(ids[1] ?? '', 'refused', 'busy'),
          job(ids[2] ?? '', 'refused', 'busy'),
        ],
        next: null,
      },
    });
    api.on('POST /v1/agents/query', {
      body: { items: ids.slice(0, 2).map((agentId, at) => anAgent(agentId, at + 1)), missing: [] },
    });

    const { status, out } = await runInProcess(['task', 'show', taskId], { environment });

    assert.equal(status, 0);
    assert.match(
      out,
      /^web-1: unreachable, offline: agent offline for \d+ d; last seen 2026-03-04T/m,
    );
    assert.match(
      out,
      /^web-2, 2123456789ab: refused, busy: the agent runs as many jobs as it may/m,
    );
  });

  it('agent ls shows state, heartbeat and version of every page', async () => {
    const agents = { '0123456789ab': 'offline', '1123456789ab': 'draining' };
    api.on('GET /v1/agents', ({ path }) => {
      const isSecond = path.includes('cursor=web-1');
      const [agentId = '', state] = Object.entries(agents)[isSecond ? 1 : 0] ?? [];
      const items = [{ ...anAgent(agentId, isSecond ? 2 : 1), state }];
      return { body: { items, next: isSecond ? null : 'web-1' } };
    });

    const { out } = await runInProcess(['agent', 'ls'], { environment });

    assert.match(out, /^NAME +ID +STATE +HEARTBEAT +VERSION +LABELS\n/);
    assert.match(out, /^web-1 +0123456789ab +offline +\d+ d ago +0\.1\.0 +zone=a$/m);
    assert.match(out, /^web-2 +1123456789ab +draining/m);
  });

  it('audit verify names the first bad record and ends with 1', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fixpoint-audit-'));
    mkdirSync(join(folder, 'audit'));
    writeFileSync(join(folder, 'audit', 'api-2026-01-01.jsonl'), 'rubbish\n');

    const broken = await runInProcess(['audit', 'verify', '--dir', join(folder, 'audit')]);
    const whole = await runInProcess(['audit', 'verify', '--dir', join(folder, 'nothing')]);

    rmSync(folder, { recursive: true });
    assert.equal(broken.status, 1);
    assert.match(broken.err, /api-2026-01-01\.jsonl:1: the record is not a record/);
    assert.deepEqual([whole.status, whole.out], [0, 'whole: 0 records in 0 files\n']);
  });
});
