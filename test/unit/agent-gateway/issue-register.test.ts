import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { IssueRegister } from '../../../agent-gateway/issue-register.ts';
import {
  byName,
  type IssueRecord,
  type RegisterRecord,
} from '../../../agent-gateway/register-records.ts';
import { systemClock } from '../../../platform/clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'fixpoint-register-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const file = () => {
  files += 1;
  return join(folder, `issued-${files}.jsonl`);
};
const registerOf = (path: string) => new IssueRegister({ file: path, clock: systemClock });
const append = (path: string, of: RegisterRecord) => registerOf(path).append(async () => [of]);
const read = async (path: string) => {
  const register = registerOf(path);
  await register.read();
  return byName(register.agents);
};
const record = (of: Partial<IssueRecord> = {}): IssueRecord => ({
  agentId: '0123456789ab',
  name: 'agent-1',
  labels: { name: 'agent-1' },
  journalId: '0'.repeat(26),
  serial: '01',
  issuedAt: 1,
  notAfter: 2,
  ...of,
});

describe('issue register', () => {
  it('the newest record of an agent counts, and the file is for its owner only', async () => {
    const path = file();
    await append(path, record());
    await append(path, record({ agentId: '0123456789ac', name: 'agent-0' }));
    await append(path, record({ serial: '02' }));

    const records = await read(path);

    assert.deepEqual(
      records.map(({ name, serial }) => [name, serial]),
      [
        ['agent-0', '01'],
        ['agent-1', '02'],
      ],
    );
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('a record torn by a crash is skipped, and does not swallow the next one', async () => {
    const path = file();
    await append(path, record());
    appendFileSync(path, '{"agentId":"0123');

    assert.equal((await read(path)).length, 1);
    await append(path, record({ agentId: '0123456789ac', name: 'agent-2' }));

    assert.equal((await read(path)).length, 2);
    assert.equal(readFileSync(path, 'utf8').split('\n').length, 3);
  });

  it('a damaged line or a name that is there twice is refused: partial never means all', async () => {
    const damaged = file();
    writeFileSync(damaged, 'rubbish\n');
    const twice = file();
    await append(twice, record());
    const second = `${JSON.stringify(record({ agentId: '0123456789ac' }))}\n`;

    await assert.rejects(read(damaged), { code: 'inventory_incomplete' });
    await assert.rejects(append(twice, record({ agentId: '0123456789ac' })), {
      code: 'inventory_incomplete',
    });
    assert.equal((await read(twice)).length, 1, 'what would damage it is not written');
    appendFileSync(twice, second);
    await assert.rejects(read(twice), { code: 'inventory_incomplete' });
    assert.deepEqual(await read(file()), []);
  });

  it('a renewal moves the certificate on and nothing else; a revocation frees the name', async () => {
    const path = file();
    const register = registerOf(path);
    await append(path, record());
    await register.read();
    const before = register.membership;
    const renewed = { agentId: '0123456789ab', serial: '02', issuedAt: 3, notAfter: 4 };

    await append(path, { kind: 'renewal', ...renewed, generation: 1, keyDigest: 'k' });
    await register.read();

    assert.equal(register.membership, before);
    const agent = register.agents.get('0123456789ab');
    assert.deepEqual([agent?.name, agent?.serial, agent?.generation], ['agent-1', '02', 1]);
    await append(path, { kind: 'revocation', agentId: '0123456789ab', at: 5, reason: 'replaced' });
    await append(path, record({ agentId: '0123456789ac' }));
    await register.read();
    assert.deepEqual([...register.agents.keys()], ['0123456789ac']);
  });

  it('what ten writers append at once is all there, and each saw those before it', async () => {
    const path = file();
    const numbers = Array.from({ length: 10 }, (_, at) => at);

    await Promise.all(
      numbers.map((at) =>
        registerOf(path).append(async (agents) => {
          const generation = agents.size;
          return [record({ agentId: `0123456789a${at}`, name: `agent-${at}`, generation })];
        }),
      ),
    );

    const seen = (await read(path)).map(({ generation }) => generation);
    assert.deepEqual(seen.sort(), numbers);
  });

  it('a register that is gone, or put back, is noticed; a lock of the dead is taken over', async () => {
    const path = file();
    const register = registerOf(path);
    await append(path, record());
    await register.read();

    renameSync(path, `${path}.away`);
    await assert.rejects(register.read(), { code: 'inventory_incomplete' });
    assert.equal(register.agents.size, 1);
    renameSync(`${path}.away`, path);
    writeFileSync(`${path}.lock`, 'a writer that died');
    utimesSync(`${path}.lock`, 1, 1);
    await append(path, record({ agentId: '0123456789ac', name: 'agent-2' }));
    await register.read();

    assert.equal(register.agents.size, 2);
  });

  it('a record of a writer that did not wait for the lock is never cut away', async () => {
    const path = file();
    const register = registerOf(path);
    await append(path, record());
    const other = record({ agentId: '0123456789ac', name: 'agent-2' });

    const late = register.append(async () => {
      appendFileSync(path, `${JSON.stringify(other)}\n`);
      return [record({ agentId: '0123456789ad', name: 'agent-3' })];
    });

    await assert.rejects(late, { code: 'upstream_unavailable' });
    assert.deepEqual(
      (await read(path)).map(({ name }) => name),
      ['agent-1', 'agent-2'],
    );
  });

  it('a long register that is read whole lets others work meanwhile, and reads do not overlap', async () => {
    const path = file();
    const lines = Array.from({ length: 5_000 }, (_, at) => {
      const agentId = String(at).padStart(12, '0');
      return `${JSON.stringify(record({ agentId, name: `agent-${at}` }))}\n`;
    });
    writeFileSync(path, lines.join(''));
    const register = registerOf(path);
    let turns = 0;
    let isRead = false;

    const reading = register.read().finally(() => {
      isRead = true;
    });
    const again = Promise.all([register.read(), register.read()]);
    for (; !isRead; turns += 1) await setImmediate();
    const membership = register.membership;
    await Promise.all([reading, again]);

    assert.ok(turns >= 20, `${turns} turns`);
    assert.equal(register.agents.size, lines.length);
    assert.equal(register.membership, membership, 'it was read once');
  });

  it('says that records may stand once they may, and not of those a full disk has no room for', async () => {
    const [good, full] = [file(), file()];
    let told = 0;
    await registerOf(good).append(
      async () => [record()],
      () => {
        told += 1;
      },
    );
    const blocked = registerOf(good).append(
      async () => Promise.reject(new Error('decided otherwise')),
      () => {
        told += 1;
      },
    );
    await assert.rejects(blocked, /decided otherwise/);
    assert.equal(told, 1);

    const said = appendUnderLimit(full, record({ labels: { name: 'x'.repeat(2_000) } }));

    assert.equal(said, 'EFBIG 0');
    assert.ok(statSync(full).size > 0, 'a part of it is there');
    assert.deepEqual(await read(full), []);
  });
});

/** Appends in a process that may write 1 KiB to a file at most; how that failed, and what was told. */
function appendUnderLimit(path: string, of: RegisterRecord): string {
  const url = (module: string) => JSON.stringify(new URL(`../../../${module}`, import.meta.url));
  const code = `
    const { IssueRegister } = await import(${url('agent-gateway/issue-register.ts')});
    const { systemClock } = await import(${url('platform/clock.ts')});
    const register = new IssueRegister({ file: ${JSON.stringify(path)}, clock: systemClock });
    let told = 0;
    const error = await register
      .append(async () => [${JSON.stringify(of)}], () => { told += 1; })
      .catch((error) => error);
    process.stdout.write(\`\${error.code} \${told}\`);
  `;
  const script = 'ulimit -f 1 && exec "$0" --input-type=module -e "$1"';
  return execFileSync('sh', ['-c', script, process.execPath, code], { encoding: 'utf8' });
}
