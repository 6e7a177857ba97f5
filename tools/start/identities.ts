import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import {
  createAuthority,
  issueCertificate,
  type KeyPair,
} from '../../agent-gateway/certificates.ts';
import { appendIssue, type IssueRecord, readRegister } from '../../agent-gateway/issue-register.ts';
import type { Clock } from '../../platform/clock.ts';
import { StartFailure } from './failure.ts';
import type { Layout } from './layout.ts';

/** The local agents: names and hostnames alike (design 5.2). */
export const agentNames = ['agent-1', 'agent-2', 'agent-3'] as const;

const zones = ['a', 'b', 'c'] as const;
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const renewBeforeMs = 14 * 86_400_000;

type Identities = {
  readonly clock: Clock;
  readonly layout: Layout;
};

/**
 * The local agents' certificates and state directories, made once and kept. They are made anew,
 * with new agent ids, when they were not finished or run out soon. Throws a `StartFailure` when
 * a part of them was removed: a journal that is gone must not come back empty (rule R16).
 */
export async function provideIdentities(of: Identities): Promise<readonly IssueRecord[]> {
  const { layout, clock } = of;
  const finished = join(layout.certificates, 'finished');
  if (existsSync(finished)) {
    const records = await readRegister(join(layout.certificates, 'issued.jsonl'));
    if (records.every(({ notAfter }) => notAfter - clock.now() > renewBeforeMs)) {
      requireWhole(layout, records);
      return records;
    }
  }
  rmSync(layout.certificates, { recursive: true, force: true });
  rmSync(dirname(layout.agent('any')), { recursive: true, force: true });
  mkdirSync(layout.certificates, { recursive: true, mode: 0o700 });
  await makeIdentities(of);
  writeFileSync(finished, '');
  return readRegister(join(layout.certificates, 'issued.jsonl'));
}

function requireWhole(layout: Layout, records: readonly IssueRecord[]): void {
  const files = ['ca.crt', 'ca.key', 'gateway.crt', 'gateway.key'].map((name) =>
    join(layout.certificates, name),
  );
  for (const { agentId } of records) {
    const names = ['identity.key', 'identity.crt', 'ca.crt', 'journal-id'];
    files.push(...names.map((name) => join(layout.agent(agentId), name)));
  }
  const missing = files.filter((file) => !existsSync(file));
  if (missing.length === 0 && records.length === agentNames.length) return;
  throw new StartFailure(
    `the local agents' identities are not whole: ${missing[0] ?? 'an agent'} is missing`,
    `remove ${layout.certificates} and ${dirname(layout.agent('any'))} for new ones`,
  );
}

async function makeIdentities({ clock, layout }: Identities): Promise<void> {
  const authority = await createAuthority(clock);
  const gateway = await issueCertificate({ authority, subject: { kind: 'gateway' }, clock });
  const write = (name: string, pair: KeyPair) => {
    writeSecret(join(layout.certificates, `${name}.crt`), pair.certificate);
    writeSecret(join(layout.certificates, `${name}.key`), pair.key);
  };
  write('ca', authority);
  write('gateway', gateway);
  for (const [index, name] of agentNames.entries()) {
    const zone = zones[index % zones.length] ?? 'a';
    const labels = { name, hostname: name, ip: '127.0.0.1', service: 'demo', zone };
    await enrol({ clock, layout, authority, labels });
  }
}

async function enrol(of: {
  readonly clock: Clock;
  readonly layout: Layout;
  readonly authority: KeyPair;
  readonly labels: Readonly<Record<'name' | 'hostname' | 'ip' | 'service' | 'zone', string>>;
}): Promise<void> {
  const { clock, layout, authority, labels } = of;
  const agentId = randomText(clock, 12);
  const journalId = randomText(clock, 26);
  const subject = { kind: 'agent', agentId, labels } as const;
  const issued = await issueCertificate({ authority, subject, clock });
  const directory = layout.agent(agentId);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeSecret(join(directory, 'identity.crt'), issued.certificate);
  writeSecret(join(directory, 'identity.key'), issued.key);
  writeSecret(join(directory, 'ca.crt'), authority.certificate);
  writeSecret(join(directory, 'journal-id'), journalId);
  await appendIssue(join(layout.certificates, 'issued.jsonl'), {
    agentId,
    name: labels.name,
    labels,
    journalId,
    serial: issued.serial,
    issuedAt: clock.now(),
    notAfter: issued.notAfter,
  });
}

/** Crockford base32, lower case; every character is a byte's lowest five bits. */
function randomText(clock: Clock, length: number): string {
  return [...clock.randomBytes(length)].map((byte) => alphabet[byte & 31]).join('');
}

function writeSecret(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}

/** Where an agent's own settings are. */
export const agentConfigFile = (directory: string): string => join(directory, 'agent.yaml');

/** Writes the host's own environment for jobs; it may change with every start. */
export function writeAgentConfig(
  directory: string,
  jobEnvironment: Readonly<Record<string, string>>,
): void {
  const file = agentConfigFile(directory);
  writeFileSync(file, stringify({ jobEnvironment }), { mode: 0o600 });
}
