import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  agentIdOfCertificate,
  createAuthority,
  issueCertificate,
} from '../../../agent-gateway/certificates.ts';
import {
  appendIssue,
  type IssueRecord,
  readRegister,
} from '../../../agent-gateway/issue-register.ts';
import { systemClock } from '../../../platform/clock.ts';

const clock = systemClock;

describe('certificates', () => {
  it('an agent’s certificate names it and its labels, is backdated a day and signed by the authority', async () => {
    const authority = await createAuthority(clock);
    const labels = { name: 'agent-1', hostname: 'a, URI:spiffe://fixpoint/agent/111111111111' };
    const subject = { kind: 'agent', agentId: '0123456789ab', labels } as const;

    const { certificate } = await issueCertificate({ authority, subject, clock });

    const parsed = new X509Certificate(certificate);
    assert.equal(agentIdOfCertificate(parsed), '0123456789ab');
    assert.match(parsed.subjectAltName ?? '', /fixpoint:labels\?name=agent-1&hostname=a%2C/);
    assert.ok(parsed.verify(new X509Certificate(authority.certificate).publicKey));
    const ageMs = clock.now() - Date.parse(parsed.validFrom);
    assert.ok(ageMs > 86_390_000 && ageMs < 86_500_000);
  });

  it('the gateway’s certificate is for loopback and names no agent', async () => {
    const authority = await createAuthority(clock);

    const issued = await issueCertificate({ authority, subject: { kind: 'gateway' }, clock });

    const parsed = new X509Certificate(issued.certificate);
    assert.equal(agentIdOfCertificate(parsed), null);
    assert.equal(parsed.checkHost('localhost'), 'localhost');
    assert.equal(parsed.checkIP('127.0.0.1'), '127.0.0.1');
  });
});

const folder = mkdtempSync(join(tmpdir(), 'fixpoint-register-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const file = () => {
  files += 1;
  return join(folder, `issued-${files}.jsonl`);
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
    await appendIssue(path, record());
    await appendIssue(path, record({ agentId: '0123456789ac', name: 'agent-0' }));
    await appendIssue(path, record({ serial: '02' }));

    const records = await readRegister(path);

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
    await appendIssue(path, record());
    appendFileSync(path, '{"agentId":"0123');

    assert.equal((await readRegister(path)).length, 1);
    await appendIssue(path, record({ agentId: '0123456789ac', name: 'agent-2' }));

    assert.equal((await readRegister(path)).length, 2);
    assert.equal(readFileSync(path, 'utf8').split('\n').length, 3);
  });

  it('a damaged line or a name that is there twice is refused: partial never means all', async () => {
    const damaged = file();
    writeFileSync(damaged, 'rubbish\n');
    const twice = file();
    await appendIssue(twice, record());
    await appendIssue(twice, record({ agentId: '0123456789ac' }));

    await assert.rejects(readRegister(damaged), { code: 'inventory_incomplete' });
    await assert.rejects(readRegister(twice), { code: 'inventory_incomplete' });
    assert.deepEqual(await readRegister(file()), []);
  });
});
