import { issueCertificate, type KeyPair } from '../../agent-gateway/certificates.ts';
import type { IssueRecord } from '../../agent-gateway/register-records.ts';
import { agentIdFrom, journalIdFrom } from '../../domain/ids.ts';
import type { Clock } from '../../platform/clock.ts';

/** A simulated agent's place in the register, with its certificate and key, both PEM. */
export type SimulatedIdentity = {
  readonly record: IssueRecord;
  readonly certificate: string;
  readonly key: string;
};

const zones = ['a', 'b', 'c'] as const;

/** A new identity, named `{prefix}-{number}`; by their label `service` policies tell them apart. */
export async function issueIdentity(of: {
  readonly authority: KeyPair;
  readonly prefix: string;
  readonly number: number;
  readonly clock: Clock;
}): Promise<SimulatedIdentity> {
  const { clock, authority } = of;
  const name = `${of.prefix}-${String(of.number).padStart(5, '0')}`;
  const zone = zones[of.number % zones.length] ?? 'a';
  const labels = { name, hostname: name, ip: '127.0.0.1', service: 'simulated', zone };
  const agentId = agentIdFrom(clock.randomBytes(8));
  const subject = { kind: 'agent', agentId, labels } as const;
  const { certificate, key, serial, notAfter } = await issueCertificate({
    ...{ authority, subject, clock },
  });
  const journalId = journalIdFrom(clock.randomBytes(17));
  const issuedAt = clock.now();
  return {
    record: { agentId, name, labels, journalId, serial, issuedAt, notAfter },
    certificate,
    key,
  };
}
