import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type AgentToken, decodeAgentToken } from '../contracts/enrolment.ts';
import { FixpointError } from '../domain/errors.ts';
import { keyIdOf, publicKeyOfBytes } from '../platform/signature.ts';
import { Trust } from '../platform/trust-bundle.ts';
import { findStateDir, readRunFile, sameOrigin } from './connection.ts';
import type { CliDeps } from './session.ts';

/** The trust bundle that an operator has by a way that no gateway stands in. */
export type OwnTrust = { readonly file: string; readonly trust: Trust };

/**
 * The operator's own `trust.json`: the one that is named, that of FIXPOINT_CERTIFICATES_DIR, or that
 * of the state directory if the gateway is the one that runs there; else null. Throws `not_found`
 * for a named one that is not there, `invalid_payload` for one that is no bundle.
 */
export function ownTrust(
  deps: Pick<CliDeps, 'cwd' | 'environment'>,
  of: { readonly named: string | undefined; readonly gatewayUrl: string },
): OwnTrust | null {
  if (of.named !== undefined) {
    const file = resolve(deps.cwd, of.named);
    if (existsSync(file)) return read(file);
    throw new FixpointError('not_found', `${file} is not there`, {
      hint: 'name a copy of trust.json, from where the keys are replaced',
    });
  }
  const file = fileKnown(deps, of.gatewayUrl);
  return file !== null && existsSync(file) ? read(file) : null;
}

function fileKnown(deps: Pick<CliDeps, 'cwd' | 'environment'>, gatewayUrl: string): string | null {
  const folder = deps.environment['FIXPOINT_CERTIFICATES_DIR'];
  if (folder !== undefined && folder !== '') return resolve(deps.cwd, folder, 'trust.json');
  const stateDir = findStateDir(deps);
  if (stateDir === null) return null;
  const isOurs = sameOrigin(gatewayUrl, readRunFile(stateDir)?.gateway.url);
  return isOurs ? join(stateDir, 'secrets', 'ca', 'trust.json') : null;
}

function read(file: string): OwnTrust {
  try {
    return { file, trust: Trust.read(readFileSync(file, 'utf8')) };
  } catch (cause) {
    throw new FixpointError('invalid_payload', `${file} is no trust bundle`, { cause });
  }
}

/** The token that a gateway made. Throws `conflict` if it is none that this version hands out. */
export function tokenMade(text: string): AgentToken {
  const token = decodeAgentToken(text);
  if (token !== null) return token;
  throw new FixpointError('conflict', 'the gateway made a token that names no signing keys', {
    hint: 'hosts refuse it; the gateway is older than this command line, or is none',
  });
}

/**
 * The token with the keys and the serial of the operator's own bundle in place of those that the
 * gateway told. Throws `conflict` if the two have no key in common: no host could use the token.
 */
export function trustingOwn(token: AgentToken, { file, trust }: OwnTrust): AgentToken {
  const { root } = trust;
  if (root.keys.some((key) => token.trust.keys.includes(key))) return { ...token, trust: root };
  const theirs = keyIdsOf(token).join(' and ');
  throw new FixpointError('conflict', `the gateway trusts ${theirs}, and ${file} other keys`, {
    hint: 'if the signing key was replaced, copy the newest trust.json there; if not, that gateway is not to be trusted',
  });
}

/** What the keys that a token names are called everywhere else. */
export const keyIdsOf = ({ trust }: Pick<AgentToken, 'trust'>): readonly string[] =>
  trust.keys.map((key) => keyIdOf(publicKeyOfBytes(key)));
