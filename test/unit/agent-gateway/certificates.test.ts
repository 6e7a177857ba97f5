import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  agentIdOfCertificate,
  createAuthority,
  issueCertificate,
} from '../../../agent-gateway/certificates.ts';
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
