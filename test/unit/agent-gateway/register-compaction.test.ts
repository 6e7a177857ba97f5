import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { type Compaction, IssueRegister } from '../../../agent-gateway/issue-register.ts';
import { RegisterCompaction } from '../../../agent-gateway/register-compaction.ts';
import { lineOf, type RegisterRecord } from '../../../agent-gateway/register-records.ts';
import { limits } from '../../../contracts/limits.ts';
import { FixpointError } from '../../../domain/errors.ts';
import { systemClock } from '../../../platform/clock.ts';
import { noCrashPoints } from '../../../platform/crash-point.ts';
import { silentLog } from '../../../platform/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const root = mkdtempSync(join(tmpdir(), 'fixpoint-compaction-'));
after(() => rmSync(root, { recursive: true }));

const now = 1_000;
const quiet = { now, crash: noCrashPoints };
const [web, db] = ['0123456789ab', '0123456789ac'];
const certificate = (agentId: string, notAfter: number) => ({
  ...{ agentId, serial: `${notAfter}`, issuedAt: notAfter - 10, notAfter },
});
const issue = (agentId: string, name: string, notAfter = 10): RegisterRecord => ({
  ...{ kind: 'issue', ...certificate(agentId, notAfter), name },
  ...{ labels: { name, zone: 'a' }, journalId: `${agentId}${'0'.repeat(14)}` },
});
const renewal = (agentId: string, notAfter: number): RegisterRecord => ({
  ...{ kind: 'renewal', ...certificate(agentId, notAfter), generation: notAfter },
});
/** Renewals that all have run out. */
const old = (agentId: string, count = 20) =>
  Array.from({ length: count }, (_, at) => renewal(agentId, 20 + at));

/** A register of these records, in a folder of its own. */
function aRegister(...records: readonly RegisterRecord[]) {
  const path = join(mkdtempSync(join(root, 'at-')), 'issued.jsonl');
  writeFileSync(path, records.map(lineOf).join(''), { mode: 0o600 });
  const gateway = () => new IssueRegister({ file: path, clock: systemClock });
  const text = () => readFileSync(path, 'utf8');
  const files = () => readdirSync(join(path, '..')).sort();
  return { path, gateway, text, files };
}

describe('a register that grew long', () => {
  it('loses the renewals that others followed and that have run out, and nothing else', async () => {
    const kept = [
      issue(web, 'web'),
      issue(db, 'db'),
      renewal(db, 990),
      { kind: 'revocation', agentId: db, at: 991, reason: 'replaced' } as const,
      issue('0123456789ad', 'db'),
      renewal(web, now),
      renewal(web, 2_000),
    ];
    const { path, gateway, text, files } = aRegister(...kept.slice(0, 2), ...old(db), ...old(web));
    // A field of a newer version.
    const odd = `${JSON.stringify({ ...kept[2], colour: 'red' })}\n`;
    appendFileSync(path, odd + kept.slice(3).map(lineOf).join(''));
    chmodSync(path, 0o640);
    const register = gateway();
    await register.read();
    const before = new Map(register.agents);

    const outcome = await register.compact(quiet);

    assert.equal(outcome, 'compacted');
    const lines = [...kept.slice(0, 2).map(lineOf), odd, ...kept.slice(3).map(lineOf)];
    assert.equal(text(), lines.join(''));
    assert.deepEqual(register.agents, before);
    assert.equal(statSync(path).mode & 0o777, 0o640);
    assert.deepEqual(files(), ['issued.jsonl']);
  });

  it('is left as it is while less than half of it would go', async () => {
    const { gateway, text } = aRegister(issue(web, 'web'), ...old(web, 1), renewal(web, 2_000));
    const before = text();

    assert.equal(await gateway().compact(quiet), 'left');

    assert.equal(text(), before);
  });

  it('is noticed by gateways that had read the long one, and they write on in the short one', async () => {
    const { gateway, text } = aRegister(issue(web, 'web'), ...old(web), renewal(web, 2_000));
    const [one, two] = [gateway(), gateway()];
    await Promise.all([one.read(), two.read()]);

    await one.compact(quiet);
    await two.append(async () => [issue(db, 'db')]);
    await one.read();

    for (const { agents } of [one, two]) {
      assert.deepEqual([...agents.keys()], [web, db]);
      assert.equal(agents.get(web)?.notAfter, 2_000);
    }
    assert.equal(text().split('\n').length - 1, 3);
  });

  it('keeps what others append while it is made shorter', async () => {
    const { gateway } = aRegister(issue(web, 'web'), ...old(web, 500), renewal(web, 2_000));
    const ids = Array.from({ length: 10 }, (_, at) => `0123456789b${at}`);

    const [outcome] = await Promise.all([
      gateway().compact(quiet),
      ...ids.map((id) => gateway().append(async () => [issue(id, id)])),
    ]);

    const after = gateway();
    await after.read();
    assert.deepEqual([...after.agents.keys()].sort(), [web, ...ids]);
    assert.equal(outcome, 'compacted');
  });

  it('keeps what a writer that had been held up appends at the last moment', async () => {
    const { path, gateway } = aRegister(issue(web, 'web'), ...old(web), renewal(web, 2_000));
    const crash = (point: string) => {
      if (point === 'before-compaction') appendFileSync(path, `${lineOf(issue(db, 'db'))}{"half`);
    };

    const outcome = await gateway().compact({ now, crash });

    const after = gateway();
    await after.read();
    assert.equal(outcome, 'compacted');
    assert.deepEqual([...after.agents.keys()], [web, db]);
    await after.append(async () => [renewal(db, 3_000)]);
    assert.equal(after.agents.get(db)?.notAfter, 3_000);
  });

  it('stays when somebody took the lock over, or put another one in its place', async () => {
    for (const fault of ['lock', 'file'] as const) {
      const { path, gateway, files } = aRegister(issue(web, 'web'), ...old(web));
      const other = lineOf(issue(db, 'db'));
      const crash = () => {
        if (fault === 'lock') writeFileSync(`${path}.lock`, 'somebody else’s');
        else {
          writeFileSync(`${path}.other`, other);
          renameSync(`${path}.other`, path);
        }
      };
      const before = readFileSync(path, 'utf8');

      await assert.rejects(gateway().compact({ now, crash }), { code: 'upstream_unavailable' });

      assert.equal(readFileSync(path, 'utf8'), fault === 'lock' ? before : other);
      assert.deepEqual(
        files(),
        fault === 'lock' ? ['issued.jsonl', 'issued.jsonl.lock'] : ['issued.jsonl'],
      );
    }
  });

  it('what a try that died left behind is cleared away by the next', async () => {
    const { path, gateway, files } = aRegister(issue(web, 'web'), ...old(web));
    writeFileSync(`${path}.0badc0de.shorter`, 'half');

    await gateway().compact(quiet);

    assert.deepEqual(files(), ['issued.jsonl']);
    assert.ok(!existsSync(`${path}.0badc0de.shorter`));
  });

  it('a record that went into a file which another one has replaced does not count', async () => {
    const { path, gateway } = aRegister(issue(web, 'web'));
    const register = gateway();
    const append = register.append(
      async () => [issue(db, 'db')],
      () => {
        writeFileSync(`${path}.other`, lineOf(issue(web, 'web')));
        renameSync(`${path}.other`, path);
      },
    );

    await assert.rejects(append, { code: 'upstream_unavailable' });

    await register.read();
    assert.deepEqual([...register.agents.keys()], [web]);
  });

  it('nothing is appended to a file that was put there after it was read', async () => {
    const { path, gateway, text } = aRegister(issue(web, 'web'), ...old(web));
    const append = gateway().append(async () => {
      writeFileSync(`${path}.other`, lineOf(issue(db, 'db')));
      renameSync(`${path}.other`, path);
      return [issue('0123456789ad', 'db')];
    });

    await assert.rejects(append, { code: 'upstream_unavailable' });

    assert.equal(text(), lineOf(issue(db, 'db')));
  });
});

describe('the compaction of the register', () => {
  /** A gateway with a register of so many bytes. */
  function aCompaction(bytes: number) {
    const register = {
      bytes,
      tries: 0,
      read: async () => {},
      fault: undefined as Error | undefined,
      outcome: 'left' as Compaction,
      async compact() {
        register.tries += 1;
        if (register.fault !== undefined) throw register.fault;
        return register.outcome;
      },
    };
    const certificates = { current: { issuer: {} as object | null } };
    const compaction = new RegisterCompaction({
      ...{ register, certificates, gatewayLookMs: 1, crash: noCrashPoints },
      ...{ clock: new ManualClock(), log: silentLog },
    });
    return { register, certificates, compaction };
  }

  it('is tried beyond a size, and again when that has doubled', async () => {
    const { register, compaction } = aCompaction(limits.registerBytes - 1);
    const tries: number[] = [];
    for (const bytes of [1, 1.5, 2, 3].map((times) => times * limits.registerBytes)) {
      await compaction.look();
      tries.push(register.tries);
      register.bytes = bytes;
    }
    await compaction.look();

    assert.deepEqual([...tries, register.tries], [0, 1, 1, 2, 2]);
  });

  it('is tried again at the next look when another gateway was first and the register grew since', async () => {
    const { register, compaction } = aCompaction(limits.registerBytes);
    register.outcome = 'overtaken';
    await compaction.look();

    await compaction.look();

    assert.equal(register.tries, 2);
  });

  it('is tried again at once only when another writer was in the way', async () => {
    const { register, compaction } = aCompaction(limits.registerBytes);

    register.fault = new FixpointError('upstream_unavailable', 'is held by another process');
    await assert.rejects(compaction.look(), { code: 'upstream_unavailable' });
    register.fault = new Error('EPERM: operation not permitted, fchown');
    await compaction.look();
    await compaction.look();

    assert.equal(register.tries, 2);
  });

  it('is left to others by a gateway that issues nothing', async () => {
    const { register, certificates, compaction } = aCompaction(limits.registerBytes);
    certificates.current.issuer = null;

    await compaction.look();

    assert.equal(register.tries, 0);
  });
});
