import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { agentId, journalId } from '../contracts/task.ts';
import { FixpointError } from '../domain/errors.ts';
import type { CrashPoints } from '../platform/crash-point.ts';

/** Who this agent is: the id comes from the certificate alone (invariant 9). All PEM. */
export type Identity = {
  readonly agentId: string;
  readonly journalId: string;
  readonly key: string;
  readonly certificate: string;
  readonly authority: string;
};

/**
 * Authorities (PEM) whose gateways are ours: those of the trust bundle, which replaces what was
 * known at enrolment, so that an old authority can be dropped; without a bundle that one.
 */
export const anchorsOf = (
  { authority }: Identity,
  ofBundle: readonly string[],
): readonly string[] => (ofBundle.length > 0 ? ofBundle : [authority]);

/** Files of an identity in the state folder. `renewalKey` is there while a renewal is under way. */
export const identityFiles = {
  key: 'identity.key',
  certificate: 'identity.crt',
  authority: 'ca.crt',
  journal: 'journal-id',
  renewalKey: 'renewal.key',
  gateways: 'gateways',
  trust: 'trust.json',
} as const;

/** Whether the folder holds the key of an agent: the file that is written last of all. */
export const hasIdentity = (root: string): boolean => existsSync(join(root, identityFiles.key));

/**
 * Reads the identity, after ending a renewal that was cut off between its two files. Throws
 * `invalid_payload` for what is missing or wrong, `forbidden` for files that others may read.
 */
export function readIdentity(root: string): Identity {
  // Passing through it (711) is open to users that jobs run as; reading it is not.
  refuseForeignEyes(root, { mask: 0o066, mode: '700' });
  refuseForeignEyes(join(root, identityFiles.key), { mask: 0o077, mode: '600' });
  const read = (name: string, fix: string): string => {
    const path = join(root, name);
    if (!existsSync(path)) throw flaw(path, fix);
    return readFileSync(path, 'utf8').trim();
  };
  read(
    identityFiles.key,
    'is not there; the agent has no identity yet. Enrol it: node agent/main.ts enrol --token-file <file>',
  );
  const certificate = read(identityFiles.certificate, 'is not there; it belongs to identity.key');
  const authority = read(
    identityFiles.authority,
    'is not there; without it no gateway can be trusted',
  );
  const journal = read(
    identityFiles.journal,
    'is not there beside a key: the journal is lost, and a job could run twice. Enrol this host as a new agent',
  );
  if (!journalId.safeParse(journal).success) {
    throw flaw(join(root, identityFiles.journal), 'must hold 26 characters of Crockford base32');
  }
  const agent = agentIdOf(root, certificate);
  endRenewal(root, certificate);
  const key = read(identityFiles.key, 'is not there; the agent has no identity yet');
  if (!isPair(key, certificate)) {
    throw flaw(join(root, identityFiles.key), 'is not the key of identity.crt');
  }
  return { agentId: agent, journalId: journal, key, certificate, authority };
}

/**
 * Writes a new identity so that it is there whole or not at all: the key comes last. The folder
 * must be there.
 */
export function writeIdentity(
  root: string,
  of: Omit<Identity, 'agentId'> & {
    readonly gateways: readonly string[];
    /** The first trust bundle, as `trust.json` holds it. */
    readonly trust: string;
  },
  crashAt: CrashPoints<'agent'>,
): void {
  writeDurably(join(root, identityFiles.certificate), of.certificate);
  crashAt('after-certificate');
  writeDurably(join(root, identityFiles.authority), of.authority);
  writeDurably(join(root, identityFiles.gateways), `${of.gateways.join('\n')}\n`);
  writeDurably(join(root, identityFiles.journal), of.journalId);
  writeDurably(join(root, identityFiles.trust), of.trust);
  crashAt('after-first-trust');
  writeDurably(join(root, identityFiles.key), of.key);
  crashAt('after-key');
}

/** The key that a renewal was asked with and that may have been answered, or null. */
export function renewalKey(root: string): string | null {
  const path = join(root, identityFiles.renewalKey);
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

/** Keeps the key before a gateway hears of it. */
export const writeRenewalKey = (root: string, key: string): void =>
  writeDurably(join(root, identityFiles.renewalKey), key);

/** Puts a renewed certificate, and then the key it was asked with, in the place of the old ones. */
export function writeRenewed(
  root: string,
  certificate: string,
  crashAt: CrashPoints<'agent'>,
): void {
  writeDurably(join(root, identityFiles.certificate), certificate);
  crashAt('between-renewed');
  endRenewal(root, certificate);
  crashAt('after-renewed');
}

/** Where the token said the gateways are; none if the identity was made by other means. */
export function knownGateways(root: string): readonly string[] {
  const path = join(root, identityFiles.gateways);
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8').split('\n').filter(Boolean);
}

/** The certificate is in its place first: whichever of the two keys is its own is the agent's. */
function endRenewal(root: string, certificate: string): void {
  const pending = renewalKey(root);
  if (pending === null || !isPair(pending, certificate)) return;
  renameSync(join(root, identityFiles.renewalKey), join(root, identityFiles.key));
  syncFolder(root);
}

function isPair(key: string, certificate: string): boolean {
  try {
    const mine = createPublicKey(createPrivateKey(key)).export({ format: 'der', type: 'spki' });
    const named = new X509Certificate(certificate).publicKey.export({
      format: 'der',
      type: 'spki',
    });
    return mine.equals(named);
  } catch {
    return false; // A key torn by a crash is nobody's.
  }
}

const agentUri = 'URI:spiffe://fixpoint/agent/';

function agentIdOf(root: string, certificate: string): string {
  const path = join(root, identityFiles.certificate);
  let names: string;
  try {
    names = new X509Certificate(certificate).subjectAltName ?? '';
  } catch (cause) {
    throw flaw(path, 'is no certificate', cause);
  }
  const name = names.split(', ').find((each) => each.startsWith(agentUri));
  const id = agentId.safeParse(name?.slice(agentUri.length));
  if (!id.success)
    throw flaw(path, 'names no agent: a URI spiffe://fixpoint/agent/<id> is missing');
  return id.data;
}

/** `invalid_payload` that names the file and how to mend it. */
export function flaw(path: string, fix: string, cause?: unknown): FixpointError {
  return new FixpointError('invalid_payload', `${path} ${fix}`, {
    flaws: [{ field: path, fix }],
    cause,
  });
}

function refuseForeignEyes(
  path: string,
  { mask, mode }: { readonly mask: number; readonly mode: string },
): void {
  if (existsSync(path) && (statSync(path).mode & mask) !== 0) {
    throw new FixpointError('forbidden', `${path} is open to others; run: chmod ${mode} ${path}`);
  }
}

function writeDurably(path: string, text: string): void {
  const aside = `${path}.new`;
  rmSync(aside, { force: true });
  writeFileSync(aside, text, { mode: 0o600, flush: true });
  renameSync(aside, path);
  syncFolder(join(path, '..'));
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
