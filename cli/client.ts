import type { z } from 'zod';
import { problem } from '../contracts/http.ts';
import { type ErrorCode, errorPolicies, FixpointError } from '../domain/errors.ts';
import type { Endpoint } from './connection.ts';

/** No command waits longer than this for one answer; waiting for hosts is done by asking again. */
const answerWithinMs = 20_000;

type Call = {
  readonly method?: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body?: unknown;
  /** In place of the endpoint's own. */
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/**
 * Calls one server. Every failure is a FixpointError whose code gives the exit status: the server's
 * own refusals keep their code, message, flaws and hint.
 */
export class Client {
  readonly #endpoint: Endpoint;
  readonly #name: string;
  readonly #interrupted: AbortSignal;

  constructor(of: {
    readonly endpoint: Endpoint;
    readonly name: string;
    /** Ends a call under way, which then rejects with the signal's reason. */
    readonly interrupted: AbortSignal;
  }) {
    this.#endpoint = of.endpoint;
    this.#name = of.name;
    this.#interrupted = of.interrupted;
  }

  get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    return this.send({ path }, schema);
  }

  async send<T>(call: Call, schema: z.ZodType<T>): Promise<T> {
    const response = await this.#fetch(call);
    const body = await this.#json(response);
    if (!response.ok) throw this.#refusal(response, body);
    const parsed = schema.safeParse(body);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw new FixpointError(
      'internal',
      `the ${this.#name} answered ${call.path} in another form than expected: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
      { hint: 'are the command line and the server of the same version?' },
    );
  }

  /** Status and JSON body of an endpoint whose failures are its message, such as /readyz. */
  async ask(path: string): Promise<{ readonly status: number; readonly body: unknown }> {
    const response = await this.#fetch({ path });
    return { status: response.status, body: await this.#json(response) };
  }

  /** The bytes of an answer, with what its headers say of them. */
  async bytes(
    path: string,
  ): Promise<{ readonly bytes: Uint8Array; readonly headers: Response['headers'] }> {
    const response = await this.#fetch({ path, headers: { accept: 'application/octet-stream' } });
    if (!response.ok) throw this.#refusal(response, await this.#json(response));
    return { bytes: new Uint8Array(await response.arrayBuffer()), headers: response.headers };
  }

  async #fetch(call: Call): Promise<Response> {
    const token = call.token ?? this.#endpoint.token;
    try {
      return await fetch(`${this.#endpoint.url}${call.path}`, {
        method: call.method ?? 'GET',
        redirect: 'error',
        signal: AbortSignal.any([AbortSignal.timeout(answerWithinMs), this.#interrupted]),
        headers: {
          accept: 'application/json',
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...call.headers,
        },
        ...(call.body === undefined
          ? {}
          : { body: typeof call.body === 'string' ? call.body : JSON.stringify(call.body) }),
      });
    } catch (cause) {
      this.#interrupted.throwIfAborted();
      throw this.#unreachable(cause);
    }
  }

  #unreachable(cause: unknown): FixpointError {
    const { url } = this.#endpoint;
    if (cause instanceof Error && cause.name === 'TimeoutError') {
      return new FixpointError(
        'deadline_exceeded',
        `the ${this.#name} at ${url} did not answer within ${answerWithinMs / 1_000} s`,
        { cause, hint: 'see what is wrong with `fixpoint status`' },
      );
    }
    return new FixpointError(
      'upstream_unavailable',
      `the ${this.#name} at ${url} cannot be reached`,
      {
        cause,
        hint: 'start Fixpoint with `npm start`, or name a server with --url or FIXPOINT_URL',
      },
    );
  }

  /** The body as JSON, or null if it is none. */
  async #json(response: Response): Promise<unknown> {
    try {
      return await response.json();
    } catch {
      return null; // The status says enough for a refusal, and a schema refuses null otherwise.
    }
  }

  #refusal(response: Response, body: unknown): FixpointError {
    const told = problem.safeParse(body);
    const code = codeOf(told.success ? told.data.code : '', response.status);
    const message = told.success
      ? told.data.message
      : `the ${this.#name} answered ${response.status}`;
    const hint = (told.success ? told.data.hint : undefined) ?? hints[code];
    return new FixpointError(code, message, {
      ...(hint === undefined ? {} : { hint }),
      flaws: (told.success ? (told.data.flaws ?? []) : []).map(({ field, value, fix }) =>
        value === undefined ? { field, fix } : { field, value, fix },
      ),
    });
  }
}

const hints: Partial<Record<ErrorCode, string>> = {
  unauthenticated:
    'name the operator token with --token-file or FIXPOINT_TOKEN_FILE; `npm start` keeps it in .fixpoint/run.json',
  stopped: 'the kill switch is on; see `fixpoint control show`',
  upstream_unavailable: 'something behind the server is down; see `fixpoint status`',
};

function codeOf(told: string, status: number): ErrorCode {
  if (Object.hasOwn(errorPolicies, told)) return told as ErrorCode; // It is one of its keys.
  const byStatus = Object.entries(errorPolicies).find(([, policy]) => policy.http === status);
  return byStatus === undefined ? 'internal' : (byStatus[0] as ErrorCode); // A key of the table.
}
