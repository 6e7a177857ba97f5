import type { FastifyInstance } from 'fastify';
import type { Readiness } from '../contracts/http.ts';
import type { Metrics } from '../platform/metrics.ts';

/** A part of the api; `null` is well, a text says what is not. */
export type Check = {
  readonly name: string;
  /** Whether alerts cannot be taken in without it. */
  readonly isNeeded: boolean;
  readonly run: () => Promise<string | null>;
};

/** Health and metrics, without a credential: they tell names and numbers only. */
export function healthRoutes(
  app: FastifyInstance,
  deps: { readonly checks: readonly Check[]; readonly metrics: Metrics },
): void {
  for (const url of ['/livez', '/-/healthy']) app.get(url, async () => 'ok\n');
  for (const url of ['/readyz', '/-/ready']) {
    app.get<{ Querystring: Record<string, unknown> }>(url, async (request, reply) => {
      const readiness = await readinessOf(deps.checks);
      reply.code(readiness.ready ? 200 : 503);
      if (Object.hasOwn(request.query, 'verbose')) return readiness;
      const lines = readiness.checks.map(
        ({ name, ok, detail }) => `${name}: ${ok ? 'ok' : detail}`,
      );
      return `${lines.join('\n')}\n`;
    });
  }
  app.get('/metrics', async (_, reply) => {
    const text = await deps.metrics.text();
    return reply.header('content-type', deps.metrics.registry.contentType).send(text);
  });
}

/** Asks all checks. Never rejects. */
export async function readinessOf(checks: readonly Check[]): Promise<Readiness> {
  const asked = await Promise.all(
    checks.map(async ({ name, isNeeded, run }) => {
      const flaw = await run().catch(() => 'does not answer');
      return { name, isNeeded, ok: flaw === null, detail: flaw ?? 'ok' };
    }),
  );
  return {
    ready: asked.every(({ ok, isNeeded }) => ok || !isNeeded),
    checks: asked.map(({ name, ok, detail }) => ({ name, ok, detail })),
  };
}
