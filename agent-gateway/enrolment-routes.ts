import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { z } from 'zod';
import { enrolBody, renewBody } from '../contracts/enrolment.ts';
import { limits } from '../contracts/limits.ts';
import type { TrustEnvelope } from '../contracts/trust.ts';
import { errorPolicies, FixpointError } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { CertificateFolder } from './certificate-folder.ts';
import type { Enrolment, Peer } from './enrolment.ts';
import { EnrolmentLimit } from './enrolment-limit.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import { checked, knownOf, problemOf, retryAfterSeconds } from './problem.ts';

export type EnrolmentRoutesDeps = {
  readonly enrolment: Pick<Enrolment, 'enrol' | 'renew'>;
  readonly certificates: Pick<CertificateFolder, 'current'>;
  /** The bundle as it goes to every agent; null while there is none. */
  readonly trust: () => TrustEnvelope | null;
  /** Who the peer of a link has proved to be, or null. */
  readonly peerOf: (socket: TLSSocket) => Peer | null;
  readonly metrics: GatewayMetrics;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * What the agents' port answers beside the link: `GET /v1/authority` and `POST /v1/enrol` to
 * anybody, `POST /v1/renew` to who proves to be an agent. No more than a few a second, agents and
 * strangers apart: nobody without a certificate of ours keeps an agent from renewing its own.
 */
export class EnrolmentRoutes {
  readonly #deps: EnrolmentRoutesDeps;
  readonly #strangers: EnrolmentLimit;
  readonly #agents: EnrolmentLimit;

  constructor(deps: EnrolmentRoutesDeps) {
    this.#deps = deps;
    this.#strangers = new EnrolmentLimit(deps.clock);
    this.#agents = new EnrolmentLimit(deps.clock);
  }

  /** Answers one request. Never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { log, metrics } = this.#deps;
    try {
      answer(response, 200, 'application/json', await this.#route(request));
    } catch (error) {
      const known = knownOf(error);
      const { http, retry } = errorPolicies[known.code];
      if (http >= 500) log.warn({ error, code: known.code }, 'an enrolment failed');
      metrics.enrolment(known.code);
      if (retry === 'later') response.setHeader('retry-after', retryAfterSeconds);
      answer(response, http, 'application/problem+json', problemOf(known));
    }
  }

  async #route(request: IncomingMessage): Promise<unknown> {
    const { certificates, enrolment, metrics, peerOf, trust } = this.#deps;
    // The server is a TLS server: its requests come over TLS sockets.
    const socket = request.socket as TLSSocket;
    const from = socket.remoteAddress ?? '';
    switch (`${request.method} ${request.url}`) {
      case 'GET /v1/authority':
        this.#strangers.take(from);
        return { authorities: certificates.current.authorities, trust: trust() };
      case 'POST /v1/enrol': {
        this.#strangers.take(from);
        try {
          const enrolled = await enrolment.enrol(await bodyOf(request, enrolBody), from);
          metrics.enrolment('enrolled');
          return enrolled;
        } catch (error) {
          this.#strangers.refused(from);
          throw error;
        }
      }
      case 'POST /v1/renew': {
        const peer = peerOf(socket);
        if (peer === null) {
          throw new FixpointError('forbidden', 'a renewal wants the certificate of an agent');
        }
        this.#agents.take(peer.agentId);
        const renewed = await enrolment.renew(await bodyOf(request, renewBody), peer);
        metrics.enrolment('renewed');
        return renewed;
      }
      default:
        throw new FixpointError('not_found', 'agents enrol, renew and open their link here');
    }
  }
}

async function bodyOf<S extends z.ZodType>(request: IncomingMessage, schema: S) {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const piece = chunk as Buffer; // No encoding was set, so the pieces are bytes.
    bytes += piece.length;
    if (bytes > limits.enrolBodyBytes)
      throw new FixpointError('too_large', 'the body is too large');
    chunks.push(piece);
  }
  return checked(schema, jsonOf(Buffer.concat(chunks)));
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new FixpointError('invalid_payload', 'the body is not JSON that can be read', { cause });
  }
}

function answer(response: ServerResponse, status: number, type: string, body: unknown): void {
  // One request a link: an enrolment is rare, and nothing is kept open for strangers.
  response.writeHead(status, { 'content-type': type, connection: 'close' });
  response.end(JSON.stringify(body));
}
