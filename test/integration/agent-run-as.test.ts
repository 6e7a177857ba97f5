import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { chooseUser } from '../../agent/run-as.ts';
import { createAuthority, type KeyPair } from '../../agent-gateway/certificates.ts';
import { systemClock } from '../../platform/clock.ts';
import { AgentHost } from '../support/agent-host.ts';
import { FakeGateway } from '../support/fake-gateway.ts';

let authority: KeyPair;
let gateway: FakeGateway;
let host: AgentHost;
/** Every Linux has it, and it may do nothing. */
const nobody = 'nobody';
const isRoot = process.geteuid?.() === 0;

describe('a job that names its user', () => {
  before(async () => {
    authority = await createAuthority(systemClock);
    gateway = await FakeGateway.start(authority);
  });
  after(() => gateway.stop());
  beforeEach(async () => {
    gateway.hellos.length = 0;
    host = await AgentHost.create(authority);
  });
  afterEach(() => host.remove());

  const run = async (content: string, over: Parameters<AgentHost['order']>[1]) => {
    const jobId = gateway.dispatch(host.order(content, { version: 2, ...over }));
    const report = await gateway.result(jobId);
    const output = gateway.output(jobId, 'stdout').toString('utf8');
    return { jobId, report, output };
  };

  it('is refused, and leaves nothing, where it may not run so', async () => {
    await host.start(gateway.url, { runAsAllow: ['web', 'no-such-user', 'root'] });
    await gateway.connected();
    const content = `echo ran >>"${host.evidence}"\n`;

    const unknown = await run(content, { runAs: 'no-such-user' });
    const other = await run(content, { runAs: nobody });

    assert.equal(unknown.report.state, 'refused');
    assert.equal(unknown.report.reason, 'no_such_user');
    assert.equal(other.report.reason, 'local_policy');
    assert.match(other.report.note ?? '', /agent\.yaml does not let jobs run as nobody/);
    assert.equal(host.starts(), 0);
  });

  it('has no more rights than that user, and nothing of the agent’s, where the agent is root', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const content = `
id -un; id -u; id -g; id -G
grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs):' /proc/self/status | tr -s '\\t' ' '
umask; pwd | sed "s,.*/jobs/[^/]*,JOB,"; cat /dev/stdin
env | cut -d= -f1 | sort | tr '\\n' ' '; echo; echo "$HOME $USER $LOGNAME"
echo to-err >/dev/stderr
ls -l /proc/self/fd >&2
cat "$1/identity.key" "$1/journal-id" 2>/dev/null; ls "$1" "$1/jobs" 2>/dev/null
echo mine >file && cat file
`;
    const { report, output, jobId } = await run(content, {
      runAs: nobody,
      args: [host.root],
      stdin: { kind: 'text', text: 'from stdin\n' },
    });

    if (!isRoot) {
      assert.equal(report.reason, 'local_policy');
      assert.match(report.note ?? '', /cannot become nobody/);
      return;
    }
    const { uid, gid, home } = await userOf(nobody);
    assert.equal(report.state, 'succeeded', report.note ?? '');
    assert.equal(
      output,
      [
        ...[nobody, uid, gid, gid],
        ...['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map(
          (set) => `${set}: ${'0'.repeat(16)}`,
        ),
        'NoNewPrivs: 1',
        ...['0022', 'JOB/work', 'from stdin'],
        'FIXPOINT_AGENT_ID FIXPOINT_ATTEMPT FIXPOINT_JOB_ID HOME LANG LOGNAME PATH PWD USER ',
        `${home} ${nobody} ${nobody}`,
        'mine\n',
      ].join('\n'),
    );
    const [toStderr, ...descriptors] = gateway.output(jobId, 'stderr').toString().split('\n');
    assert.equal(toStderr, 'to-err');
    assert.deepEqual(ofTheAgent(descriptors), []);
    for (const name of ['stdout', 'exit', 'intent', 'pid']) {
      assert.equal(statSync(join(host.root, 'jobs', jobId, name)).mode & 0o077, 0, name);
    }
  });

  it('is ended by its time limit like any other', async () => {
    await host.start(gateway.url);
    await gateway.connected();
    const { report } = await run('trap "" TERM; setsid sleep 600 & sleep 600\n', {
      runAs: isRoot ? nobody : userInfo().username,
      limits: { timeoutMs: 500, outputBytes: 1_000 },
    });

    assert.equal(report.state, 'timed_out');
    assert.match(report.note ?? '', /1 orphan with it$/);
  });

  it('runs as the agent’s own user without a switch', async () => {
    await host.start(gateway.url, { runAsAllow: [userInfo().username] });
    await gateway.connected();

    const { output } = await run('id -un\n', { runAs: userInfo().username });

    assert.equal(output, `${userInfo().username}\n`);
  });

  it('without a name is refused where the host’s list lacks the agent’s own user', async () => {
    await host.start(gateway.url, { runAsAllow: ['web'] });
    await gateway.connected();

    const { report } = await run('true\n', { version: 1 });

    assert.equal(report.reason, 'local_policy');
  });

  it('may not be root by name unless the host says so', async () => {
    const of = { stateDirectory: host.root };

    const plain = await chooseUser({ ...of, allow: null }, 'root');
    const allowed = await chooseUser({ ...of, allow: ['root'] }, 'root');

    assert.equal(plain.kind, 'refused');
    assert.equal(allowed.kind, isRoot ? 'own' : 'refused');
  });

  it('is refused where its user cannot reach the state directory', async () => {
    const closed = mkdtempSync(join(tmpdir(), 'fixpoint-closed-'));
    const stateDirectory = join(closed, 'agent');
    mkdirSync(stateDirectory);
    chmodSync(closed, 0o700);

    const choice = await chooseUser({ allow: null, stateDirectory }, nobody);
    rmSync(closed, { recursive: true });

    assert.equal(choice.kind, 'refused');
    const expected = isRoot ? new RegExp(`${closed} is closed`) : /cannot become/;
    assert.match(choice.kind === 'refused' ? choice.note : '', expected);
  });
});

/**
 * Descriptors above stderr that the script has from the agent: not what `ls` opened, nor what the
 * agent itself was started with by whoever runs the tests.
 */
function ofTheAgent(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => {
    const [, fd, target] = / (\d+) -> (.*)$/.exec(line) ?? [];
    if (fd === undefined || target === undefined || Number(fd) <= 2) return false;
    if (/^\/proc\/\d+\/fd$/.test(target)) return false;
    const outer = `/proc/${process.ppid}/fd/${fd}`;
    const isOuter = lstatSync(outer, { throwIfNoEntry: false }) !== undefined;
    return !isOuter || readlinkSync(outer) !== target;
  });
}

async function userOf(name: string) {
  const choice = await chooseUser({ allow: null, stateDirectory: '/tmp/x' }, name);
  if (choice.kind !== 'switch') throw new Error(`no switch to ${name}: ${choice.kind}`);
  const { uid, gid, home } = choice.user;
  return { uid: String(uid), gid: String(gid), home };
}
