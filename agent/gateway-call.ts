import { request } from 'node:https';
import { z } from 'zod';
import { limits } from '../contracts/limits.ts';
import { type ErrorCode, errorPolicies, FixpointError } from '../domain/errors.ts';
import { checkServerIdentity } from './gateway-identity.ts';

/** How a gateway is trusted, and what the agent proves itself with. All PEM. */
export type CallTls =
  | { readonly kind: 'anybody' }
  | { readonly kind: 'stranger'; readonly authorities: readonly string[] }
  | {
      readonly kind: 'agent';
      readonly authorities: readonly string[];
      readonly certificate: string;
      readonly key: string;
    };

const withinMs = 10_000;
const refusal = z.object({ code: z.string(), message: z.string(), hint: z.string().optional() });

/**
 * One request to a gateway's port for agents. A refusal keeps the gateway's code, message and
 * hint; `upstream_unavailable` if there is no gateway of ours, or its answer is none.
 */
export async function callGateway<T>(of: {
  /** `wss://host:port`, as links are opened to. */
  readonly gateway: string;
  readonly path: string;
  /** Sent as JSON by POST; without it the call is a GET. */
  readonly body?: unknown;
  readonly tls: CallTls;
  /** Where the call goes out from; without it the host chooses. */
  readonly localAddress?: string | undefined;
  readonly answer: z.ZodType<T>;
}): Promise<T> {
  const { status, text } = await exchange(of);
  const body = jsonOf(text);
  if (status !== 200) throw refusalOf(of.gateway, status, body);
  const parsed = of.answer.safeParse(body);
  if (parsed.success) return parsed.data;
  throw away(of.gateway, parsed.error);
}

function exchange(of: {
  readonly gateway: string;
  readonly path: string;
  readonly body?: unknown;
  readonly tls: CallTls;
  readonly localAddress?: string | undefined;
}): Promise<{ readonly status: number; readonly text: string }> {
  const url = new URL(of.path, of.gateway);
  url.protocol = 'https:';
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => reject(away(of.gateway, cause));
    const call = request(
      url,
      {
        ...tlsOptions(of.tls),
        method: of.body === undefined ? 'GET' : 'POST',
        agent: false,
        ...(of.localAddress === undefined ? {} : { localAddress: of.localAddress }),
        signal: AbortSignal.timeout(withinMs),
        headers: of.body === undefined ? {} : { 'content-type': 'application/json' },
      },
      (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > limits.requestBodyBytes) call.destroy(new Error('the answer is too long'));
          else chunks.push(chunk);
        });
        response.on('error', fail);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    call.on('error', fail);
    call.end(of.body === undefined ? undefined : JSON.stringify(of.body));
  });
}

function tlsOptions(tls: CallTls) {
  // What is fetched so is compared with a fingerprint afterwards; nothing is told to the peer.
  if (tls.kind === 'anybody') return { rejectUnauthorized: false };
  const trusted = { ca: [...tls.authorities], minVersion: 'TLSv1.3' as const, checkServerIdentity };
  return tls.kind === 'stranger' ? trusted : { ...trusted, cert: tls.certificate, key: tls.key };
}

function refusalOf(gateway: string, status: number, body: unknown): FixpointError {
  const told = refusal.safeParse(body);
  if (!told.success) return away(gateway, new Error(`it answered ${status}`));
  const { code, message, hint } = told.data;
  const known = Object.hasOwn(errorPolicies, code) ? (code as ErrorCode) : 'internal'; // A key of it.
  return new FixpointError(known, message, hint === undefined ? {} : { hint });
}

const away = (gateway: string, cause: unknown): FixpointError =>
  new FixpointError('upstream_unavailable', `no gateway of ours answers at ${gateway}`, { cause });

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // The caller refuses it by its schema.
  }
}
