import { z } from 'zod';
import type { GatewayClient } from '../activities/index.ts';
import { problem } from '../contracts/http.ts';
import { type TaskReport, taskReport } from '../contracts/task.ts';
import { type ErrorCode, errorPolicies, FixpointError } from '../domain/errors.ts';
import { taskIdOf } from '../domain/ids.ts';
import { sha256 } from '../platform/digest.ts';

const openTasks = z.object({
  items: z.array(
    z.object({ taskId: z.string(), key: z.string(), reference: z.string().nullable() }),
  ),
});
export type OpenTask = z.infer<typeof openTasks>['items'][number];

type Call = {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
};

/** The gateway's HTTP API. Each call ends within `timeoutMs`; who does not answer is `upstream_unavailable`. */
export function gatewayClient(of: {
  readonly url: string;
  readonly token: string;
  readonly timeoutMs: number;
}): GatewayClient & { openTasks(): Promise<readonly OpenTask[]> } {
  const call = (request: Call) => send(of, request);
  return {
    async submit({ key, task, again }): Promise<TaskReport> {
      const headers = { 'idempotency-key': key };
      const path = again ? '/v1/tasks?again=true' : '/v1/tasks';
      const answer = await call({ method: 'POST', path, headers, body: task });
      return taskReport.parse(expectOk(answer));
    },
    async poll(key) {
      const answer = await call({ method: 'GET', path: `/v1/tasks/${taskIdOf(key, sha256)}` });
      return answer.status === 404 ? null : taskReport.parse(expectOk(answer));
    },
    async cancel({ key, reason }) {
      const path = `/v1/tasks/${taskIdOf(key, sha256)}/cancel`;
      const answer = await call({ method: 'POST', path, body: { reason } });
      if (answer.status !== 404) expectOk(answer);
    },
    async openTasks() {
      const answer = await call({ method: 'GET', path: '/v1/tasks?state=open' });
      return openTasks.parse(expectOk(answer)).items;
    },
  };
}

type Answer = { readonly status: number; readonly body: unknown };

async function send(
  of: { readonly url: string; readonly token: string; readonly timeoutMs: number },
  request: Call,
): Promise<Answer> {
  try {
    const response = await fetch(new URL(request.path, of.url), {
      method: request.method,
      headers: {
        authorization: `Bearer ${of.token}`,
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...request.headers,
      },
      redirect: 'error',
      signal: AbortSignal.timeout(of.timeoutMs),
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  } catch (error) {
    throw new FixpointError('upstream_unavailable', 'the gateway does not answer', {
      cause: error,
    });
  }
}

function expectOk({ status, body }: Answer): unknown {
  if (status >= 200 && status < 300) return body;
  const parsed = problem.safeParse(body);
  const code = parsed.success && isErrorCode(parsed.data.code) ? parsed.data.code : 'internal';
  const message = parsed.success ? parsed.data.message : `the gateway answered ${status}`;
  throw new FixpointError(code, message);
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(errorPolicies, code);
