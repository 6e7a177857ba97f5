import { z } from 'zod';
import { limits } from './limits.ts';
import { agentId, journalId } from './task.ts';
import { trustEnvelope, trustRoot } from './trust.ts';

/** How a host becomes an agent, and stays one (security 4). */

const pem = z.string().max(limits.trustPemBytes);
const gateway = z.url({ protocol: /^wss$/ }).max(300);
const secret = z.string().regex(/^[A-Za-z0-9_-]{32}$/);
const fingerprint = z.string().regex(/^[0-9a-f]{64}$/);

/**
 * What an operator carries to a host: where the gateways are, the SHA-256 of their authorities'
 * certificates (DER), so that first contact trusts nobody else, and who signs jobs, so that no
 * gateway makes the host trust keys of its own.
 */
export const agentToken = z.object({
  gateways: z.array(gateway).min(1).max(16),
  authorities: z.array(fingerprint).min(1).max(limits.trustAnchorsMax),
  trust: trustRoot,
  secret,
});
export type AgentToken = z.infer<typeof agentToken>;

const prefix = 'fixpoint-agent.';

/** The token as one word that survives shells and mails. */
export const encodeAgentToken = (token: AgentToken): string =>
  prefix + Buffer.from(JSON.stringify(token)).toString('base64url');

/** The token in a text, or null if it is none. Never throws. */
export function decodeAgentToken(text: string): AgentToken | null {
  if (!text.startsWith(prefix)) return null;
  try {
    const json = Buffer.from(text.slice(prefix.length), 'base64url').toString('utf8');
    const parsed = agentToken.safeParse(JSON.parse(json));
    return parsed.success ? parsed.data : null;
  } catch {
    return null; // Cut off while it was copied: no token.
  }
}

const label = z
  .string()
  .max(63)
  .regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/);
const labelValue = z
  .string()
  .min(1)
  .refine((text) => Buffer.byteLength(text) <= limits.agentLabelValueBytes, {
    error: `must be at most ${limits.agentLabelValueBytes} bytes`,
  });
const agentName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, { error: 'must be a host’s name, such as web1' });

/** Body of `POST /v1/agent-tokens`. With several uses `name` is what the hosts' names begin with. */
export const agentTokenBody = z
  .object({
    ttlMs: z.int().min(1_000).max(limits.agentTokenMs),
    uses: z.int().min(1).max(limits.agentTokenUsesMax).default(1),
    name: agentName.optional(),
    labels: z
      .record(label, labelValue)
      .refine((labels) => Object.keys(labels).length <= limits.agentLabelsMax, {
        error: `at most ${limits.agentLabelsMax} labels`,
      })
      .refine((labels) => !Object.hasOwn(labels, 'name'), { error: 'name is given apart' })
      .default({}),
    /** The agent that has the name now is enrolled no more once the token is used. */
    replace: z.boolean().default(false),
    /** Claimed, beside the credential; gives no right (invariant 9). */
    operator_name: z.string().max(200).optional(),
  })
  .refine(({ replace, uses, name }) => !replace || (uses === 1 && name !== undefined), {
    error: 'replace wants a name and one use',
  });
export type AgentTokenBody = z.output<typeof agentTokenBody>;

/** The only time the token is told. `expiresAt` is Unix milliseconds. */
export const agentTokenAnswer = z.object({ token: z.string(), expiresAt: z.int(), uses: z.int() });

/** Body of `POST /v1/enrol`. Of the request only its key counts: names in it are ignored. */
export const enrolBody = z.object({
  secret,
  /** PKCS #10, PEM. */
  request: pem,
  /** Random, made by the agent: it lives and dies with the key (rule R16). */
  journalId,
});
export const enrolAnswer = z.object({
  agentId,
  name: z.string(),
  certificate: pem,
});
export type EnrolAnswer = z.infer<typeof enrolAnswer>;

/** Body of `POST /v1/renew`, over mutual TLS with the certificate that is to be renewed. */
export const renewBody = z.object({ request: pem });
export const renewAnswer = z.object({ certificate: pem });

/**
 * Answer of `GET /v1/authority`, which needs no credential and is believed only as far as a token
 * vouches for it. `trust` is null where a gateway has no bundle.
 */
export const authorityAnswer = z.object({
  /** PEM. */
  authorities: z.array(pem).min(1).max(limits.trustAnchorsMax),
  trust: trustEnvelope.nullable(),
});
