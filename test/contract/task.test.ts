import { describe } from 'node:test';
import { limits } from '../../contracts/limits.ts';
import {
  agentView,
  job,
  jobReport,
  taskCallback,
  taskReport,
  taskSubmit,
} from '../../contracts/task.ts';
import { schemaCases } from '../support/schema-cases.ts';

const agentId = 'a0b1c2d3e4f5';
const journalId = 'a0b1c2d3e4f5g6h7j8k9m0n1p2';
const taskId = `t${'a'.repeat(25)}`;
const signature = `${'a'.repeat(85)}Q==`;
const action = {
  kind: 'script',
  interpreter: 'sh',
  content: 'exit 0\n',
  args: ['web'],
  env: { SERVICE: 'web' },
  secretEnv: { TOKEN: 'web-token' },
  stdin: { kind: 'none' },
  cwd: null,
};
const aSubmit = {
  version: 1,
  slot: 'remediation:a:b~1:2-1/restart',
  attempt: 1,
  action,
  targets: [
    { agentId, journalId, args: ['x'], env: { A: 'b' }, stdin: { kind: 'text', text: '[]' } },
  ],
  limits: { timeoutMs: 60_000, outputBytes: limits.outputBytes },
  notAfter: 1_800_000_000_000,
  deadline: 1_800_000_060_000,
  callback: { url: 'http://127.0.0.1:8450/v1/callbacks/tasks', reference: 'remediation:a' },
};
const aJobOfProtocol1 = {
  version: 1,
  taskId,
  agentId,
  journalId,
  slot: 'a/b.c',
  attempt: 1,
  action: 'script',
  contentDigest: `sha256:${'0'.repeat(64)}`,
  interpreter: 'bash',
  args: [],
  env: {},
  secretEnv: {},
  stdin: { kind: 'secret', secret: 'web-token' },
  cwd: null,
  limits: aSubmit.limits,
  notAfter: 1,
  task: { size: 1, callback: null },
};
const aJobReport = {
  state: 'failed',
  reason: 'exit_code',
  exitCode: 7,
  signal: null,
  startedAt: 1,
  finishedAt: 2,
  stdoutBytes: 0,
  stderrBytes: 0,
  note: null,
};
const aTaskReport = {
  taskId,
  key: 'remediation:a/restart/1/1',
  state: 'finished',
  size: 2,
  letters: 'sf',
  failures: [{ agentId, state: 'failed', reason: 'exit_code', exitCode: 7 }],
};

describe('tasks and jobs', () => {
  schemaCases('a submit', taskSubmit, {
    // Unknown fields are a newer peer's and are ignored.
    valid: [
      aSubmit,
      { ...aSubmit, callback: null, later: true },
      { ...aSubmit, keyId: '0123456789abcdef', targets: [{ agentId, journalId, signature }] },
    ],
    refused: [
      ['version', 3],
      ['slot', ''],
      ['attempt', 0],
      ['action.kind', 'file'],
      ['action.content', ''],
      ['action.content', 'x'.repeat(limits.scriptBytes + 1)],
      ['action.args', new Array(limits.scriptArgsMax + 1).fill('')],
      ['action.env.A=B', 'x'],
      ['action.secretEnv.TOKEN', 'No Name'],
      ['action.stdin', { kind: 'file' }],
      ['action.cwd', 'srv'],
      ['targets', []],
      ['targets.0.agentId', 'A0B1C2D3E4F5'],
      ['targets.0.agentId', 'a0b1c2d3e4fu'],
      ['targets.0.journalId', undefined],
      ['targets.0.stdin', { kind: 'text' }],
      ['targets.0.signature', ''],
      ['targets.0.signature', `${'a'.repeat(85)}a==`],
      ['targets.0.signature', `${'a'.repeat(85)}Q==\n`],
      ['keyId', ''],
      ['keyId', 'with space'],
      ['limits.timeoutMs', 99],
      ['limits.outputBytes', limits.outputBytes + 1],
      ['notAfter', 0],
      ['deadline', undefined],
      ['callback', undefined],
      ['callback.url', 'not a url'],
    ],
  });
  schemaCases('a job', job, {
    valid: [
      {
        ...aJobOfProtocol1,
        task: { key: 'remediation:a/restart/1/1', size: 1, position: 0, callback: null },
        keyId: '0123456789abcdef',
      },
      aJobOfProtocol1,
    ],
    refused: [
      ['version', 0],
      ['taskId', 'task'],
      ['agentId', undefined],
      ['journalId', 'short'],
      ['attempt', 0],
      ['action', 'file'],
      ['contentDigest', 'sha256:0'],
      ['stdin.secret', '/etc/shadow'],
      ['task.size', undefined],
      ['task.key', 'short'],
      ['task.position', -1],
      ['keyId', 'k'.repeat(129)],
    ],
  });
  schemaCases('a job report', jobReport, {
    valid: [aJobReport, { ...aJobReport, state: 'queued', reason: null, exitCode: null }],
    refused: [
      ['state', 'done'],
      ['reason', 'x'.repeat(65)],
      ['exitCode', 1.5],
      ['startedAt', undefined],
      ['stdoutBytes', '0'],
      ['note', 'x'.repeat(501)],
    ],
  });
  schemaCases('a task report', taskReport, {
    valid: [
      aTaskReport,
      { ...aTaskReport, state: 'open', letters: '..', failures: [] },
      { ...aTaskReport, notThere: [1] },
    ],
    refused: [
      ['taskId', `${taskId}a`],
      ['key', 'with space'],
      ['state', 'closed'],
      ['letters', undefined],
      ['notThere', 'sf'],
      ['notThere', [-1]],
      ['notThere', [limits.targetsMax]],
      ['failures.0.state', 'running'],
      ['failures', new Array(limits.reportFailuresMax + 1).fill(aTaskReport.failures[0])],
    ],
  });
  schemaCases('a callback', taskCallback, {
    valid: [{ type: 'task.finished', reference: 'remediation:a', report: aTaskReport }],
    refused: [
      ['type', 'task.started'],
      ['reference', undefined],
      ['report', undefined],
    ],
  });
  schemaCases('an agent', agentView, {
    valid: [
      {
        id: agentId,
        name: 'agent-1',
        state: 'online',
        journalId,
        labels: { hostname: 'agent-1' },
        gatewayId: 'g-1',
        sessionId: 's',
        lastSeenAt: 1,
        version: '0.1.0',
      },
    ],
    refused: [
      ['id', 'agent-1'],
      ['state', 'gone'],
      ['labels', null],
    ],
  });
});
