import { X509Certificate } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { hasIdentity, readIdentity } from '../../agent/identity-files.ts';
import { IssueRegister } from '../../agent-gateway/issue-register.ts';
import { FixpointError } from '../../domain/errors.ts';
import { createAuthority, issueCertificate, type KeyPair } from '../../platform/authority.ts';
import type { Clock } from '../../platform/clock.ts';
import { StartFailure } from './failure.ts';
import type { Layout } from './layout.ts';

/** The local agents: names and hostnames alike (design 5.2). */
export const localAgentNames = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `agent-${at + 1}`);

/** A local agent, and whether it has to be enrolled first. */
export type LocalAgent = {
  readonly name: string;
  /** What its token gives it beside the name. */
  readonly labels: Readonly<Record<string, string>>;
  readonly isEnrolled: boolean;
};

type Identities = {
  readonly clock: Clock;
  readonly layout: Layout;
  readonly say: (line: string) => void;
  readonly agentNames: readonly string[];
};

const zones = ['a', 'b', 'c'] as const;
const renewGatewayBeforeMs = 14 * 86_400_000;
// Moves when what lies in the folders changes in a way that this code would misread.
const edition = 'edition-2';

/**
 * The authority and the gateway's certificate, made once and kept, and which of the local agents
 * have to be enrolled: those that have no identity, or one whose certificate ran out while nothing
 * was running. Throws a `StartFailure` when a part of an identity was removed: a journal that is
 * gone must not come back empty (rule R16).
 */
export async function provideIdentities(of: Identities): Promise<readonly LocalAgent[]> {
  const { layout, say } = of;
  const finished = join(layout.certificates, edition);
  if (!existsSync(finished)) {
    if (readdirSync(layout.certificates).length > 0) {
      say('the identities here are of an older version; authority and agents are made anew');
    }
    rmSync(layout.certificates, { recursive: true, force: true });
    rmSync(dirname(layout.agent('any')), { recursive: true, force: true });
    mkdirSync(layout.certificates, { recursive: true, mode: 0o700 });
    writePair(layout, 'ca', await createAuthority(of.clock));
    await makeGateway(of);
    writeFileSync(finished, '');
  }
  requireWhole(layout);
  if (expiresAt(join(layout.certificates, 'gateway.crt')) < of.clock.now() + renewGatewayBeforeMs) {
    await makeGateway(of);
  }
  return localAgents(of);
}

function requireWhole(layout: Layout): void {
  for (const name of ['ca.crt', 'ca.key', 'gateway.crt', 'gateway.key']) {
    const file = join(layout.certificates, name);
    if (!existsSync(file)) throw notWhole(layout, `${file} is missing`);
  }
}

const notWhole = (layout: Layout, what: string): StartFailure =>
  new StartFailure(
    `the local agents' identities are not whole: ${what}`,
    `remove ${layout.certificates} and ${dirname(layout.agent('any'))} for new ones`,
  );

async function makeGateway({ clock, layout }: Identities): Promise<void> {
  const read = (name: string) => readFileSync(join(layout.certificates, name), 'utf8');
  const authority = { certificate: read('ca.crt'), key: read('ca.key') };
  const pair = await issueCertificate({ authority, subject: { kind: 'gateway' }, clock });
  writePair(layout, 'gateway', pair);
}

async function localAgents(of: Identities): Promise<readonly LocalAgent[]> {
  const { layout, clock, say } = of;
  const register = new IssueRegister({ file: join(layout.certificates, 'issued.jsonl'), clock });
  await register.read();
  return of.agentNames.map((name, index) => {
    const zone = zones[index % zones.length] ?? 'a';
    const labels = { hostname: name, ip: '127.0.0.1', service: 'demo', zone };
    const directory = layout.agent(name);
    const agentId = agentIdIn(layout, name);
    const isKnown = agentId !== null && register.agents.has(agentId);
    const isFresh = isKnown && expiresAt(join(directory, 'identity.crt')) > clock.now();
    if (agentId !== null && !isFresh) {
      say(`${name} was away for longer than its certificate lasts; it is enrolled anew`);
    }
    if (!isFresh) rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return { name, labels, isEnrolled: isFresh };
  });
}

/** Null if the agent has no identity yet. */
function agentIdIn(layout: Layout, name: string): string | null {
  const directory = layout.agent(name);
  if (!hasIdentity(directory)) return null;
  try {
    const { agentId } = readIdentity(directory);
    if (existsSync(join(directory, 'journal'))) return agentId;
  } catch (error) {
    if (error instanceof FixpointError) throw notWhole(layout, error.message);
    throw error;
  }
  throw notWhole(layout, `${join(directory, 'journal')} is missing`);
}

const expiresAt = (certificate: string): number =>
  Date.parse(new X509Certificate(readFileSync(certificate)).validTo);

function writePair(layout: Layout, name: string, pair: KeyPair): void {
  const write = (file: string, text: string) =>
    writeFileSync(join(layout.certificates, file), text, { mode: 0o600 });
  write(`${name}.crt`, pair.certificate);
  write(`${name}.key`, pair.key);
}

/**
 * Lets every agent's folder be found by its id as well, which only its enrolment told: names 1. A
 * link of an agent that is no more is taken away.
 */
export function linkFoldersById(layout: Layout, agentNames: readonly string[]): void {
  const folder = dirname(layout.agent('any'));
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isSymbolicLink()) rmSync(join(folder, entry.name));
  }
  for (const name of agentNames) {
    const agentId = agentIdIn(layout, name);
    if (agentId !== null) symlinkSync(name, join(folder, agentId));
  }
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
