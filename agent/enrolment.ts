import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AgentToken,
  decodeAgentToken,
  type EnrolAnswer,
  enrolAnswer,
} from '../contracts/enrolment.ts';
import { FixpointError } from '../domain/errors.ts';
import { journalIdFrom } from '../domain/ids.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import { Backoff } from './backoff.ts';
import { certificateRequest } from './certificate-request.ts';
import { firstTrust } from './first-trust.ts';
import { callGateway } from './gateway-call.ts';
import { hasIdentity, writeIdentity } from './identity-files.ts';

/** A new P-256 key, PKCS #8 in PEM. It is made on the host and never leaves it. */
export function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}

/** The token in a file. Throws `invalid_payload` if it holds none. */
export function readTokenFile(path: string): AgentToken {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new FixpointError('invalid_payload', `the token file ${path} cannot be read`, { cause });
  }
  const token = decodeAgentToken(text);
  if (token !== null) return token;
  throw new FixpointError('invalid_payload', `${path} holds no enrolment token`, {
    hint: 'it begins with fixpoint-agent. and is one line. If it was cut off while it was copied, or names no signing keys because an older gateway made it, make another: fixpoint agent token create',
  });
}

/**
 * Makes this host an agent: key and journal id are made here, id, name and labels come from the
 * token, and whom it trusts is what the token vouches for, whatever a gateway says. The state
 * folder is written whole or not at all. Throws `conflict` if it holds an identity or what is left
 * of one, `forbidden` if no gateway is one of the token, the gateway's own refusal, or
 * `upstream_unavailable`.
 */
export async function enrol(of: {
  readonly token: AgentToken;
  readonly stateDirectory: string;
  readonly crashAt: CrashPoints<'agent'>;
  readonly clock: Clock;
}): Promise<Pick<EnrolAnswer, 'agentId' | 'name'>> {
  const { token, stateDirectory: root, crashAt, clock } = of;
  refuseUsed(root);
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const { key, journalId, trusted, answer } = await askedOfAny(token, clock);
  crashAt('after-answer');
  const { certificate, agentId, name } = answer;
  // Key and journal begin together: a key without a journal has lost it (rule R16).
  mkdirSync(join(root, 'journal'), { recursive: true, mode: 0o700 });
  const identity = {
    ...{ key, certificate, journalId, gateways: token.gateways },
    authority: trusted.authorities.join('\n'),
    trust: JSON.stringify(trusted.trust),
  };
  writeIdentity(root, identity, crashAt);
  return { agentId, name };
}

const triesMax = 100;
/** What another gateway, or the same one later, may answer otherwise. */
const worthAnotherTry: ReadonlySet<string> = new Set(['upstream_unavailable', 'limit_exceeded']);
const isWorthAnotherTry = (error: unknown): boolean =>
  error instanceof FixpointError && worthAnotherTry.has(error.code);

/** As `enrol`, tried again with back-off, some ten minutes, while no gateway can be reached. */
export async function enrolPatiently(
  of: Parameters<typeof enrol>[0] & { readonly log: Log },
): Promise<Pick<EnrolAnswer, 'agentId' | 'name'>> {
  const backoff = new Backoff(of.clock);
  for (let tries = 1; ; tries += 1) {
    try {
      return await enrol(of);
    } catch (error) {
      if (!isWorthAnotherTry(error) || tries >= triesMax) throw error;
      of.log.warn({ error }, 'the host is enrolled later');
      await of.clock.sleep(backoff.nextMs());
    }
  }
}

/**
 * Asks the token's gateways in turn until one decides. One that the token does not vouch for, or
 * that can enrol nobody just now, is passed over; what another one decided is final. Key and journal id are
 * made anew for each, because one whose answer was lost has enrolled the pair it was told.
 */
async function askedOfAny(token: AgentToken, clock: Clock) {
  let failure: unknown;
  // Of several the one that may pass is told, whatever their order: then a host tries on.
  const failed = (error: unknown) => {
    if (!isWorthAnotherTry(failure)) failure = error;
  };
  for (const gateway of token.gateways) {
    const trusted = await firstTrust(token, gateway).catch((error: unknown) => {
      failed(error);
      return null;
    });
    if (trusted === null) continue;
    const key = newKey();
    const journalId = journalIdFrom(clock.randomBytes(17));
    const request = certificateRequest(createPrivateKey(key));
    try {
      const answer = await callGateway({
        ...{ gateway, path: '/v1/enrol', answer: enrolAnswer },
        body: { secret: token.secret, request, journalId },
        tls: { kind: 'stranger', authorities: trusted.authorities },
      });
      return { key, journalId, trusted, answer };
    } catch (error) {
      if (!isWorthAnotherTry(error)) throw error;
      failed(error);
    }
  }
  throw failure;
}

function refuseUsed(root: string): void {
  if (hasIdentity(root)) {
    throw new FixpointError('conflict', `${root} is the state of an agent already`, {
      hint: 'a host that is enrolled again becomes a new agent: move the folder away first',
    });
  }
  // An empty journal is what an enrolment that was cut off leaves.
  const left = ['journal', 'jobs'].find(
    (name) => existsSync(join(root, name)) && readdirSync(join(root, name)).length > 0,
  );
  if (left === undefined) return;
  throw new FixpointError('conflict', `${root} holds the ${left} of an agent whose key is gone`, {
    hint: 'what ran there is no longer known to be whole: move the folder away first',
  });
}
