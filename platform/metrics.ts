import { createServer, type Server } from 'node:http';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** The metrics of one program: a facade, so that the library can be replaced. */
export class Metrics {
  readonly registry = new Registry();

  /** Names begin with `fixpoint_` and counters end with `_total` (names 6). */
  counter<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  gauge<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }

  /** Seconds. */
  histogram<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[] = [],
  ): Histogram<L> {
    return new Histogram({
      name,
      help,
      labelNames,
      registers: [this.registry],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    });
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }
}

/** A part that must be well for the program to be ready; `null` is well, a text says what is not. */
export type Readiness = Readonly<Record<string, () => Promise<string | null>>>;

/** `/metrics`, `/livez` and `/readyz` of a program that has no other port. Resolves once it listens. */
export function serveMetrics(of: {
  readonly host: string;
  readonly port: number;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
}): Promise<Server> {
  const server = createServer((request, response) => {
    answer(request.url ?? '', of).then(
      ({ status, body, type }) => response.writeHead(status, { 'content-type': type }).end(body),
      () => response.writeHead(500).end(),
    );
  });
  server.requestTimeout = 5_000;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(of.port, of.host, () => resolve(server));
  });
}

async function answer(
  url: string,
  of: { readonly metrics: Metrics; readonly readiness: Readiness },
): Promise<{ status: number; body: string; type: string }> {
  const path = url.split('?')[0];
  if (path === '/metrics') {
    return { status: 200, body: await of.metrics.text(), type: of.metrics.registry.contentType };
  }
  if (path === '/livez' || path === '/-/healthy')
    return { status: 200, body: 'ok\n', type: 'text/plain' };
  if (path === '/readyz' || path === '/-/ready')
    return readyz(of.readiness, url.endsWith('?verbose'));
  return { status: 404, body: 'not found\n', type: 'text/plain' };
}

/**
 * One line per dependency, or with `verbose` in the query `Readiness` of contracts/http.ts; 503 when
 * any of them is not well. Never rejects.
 */
export async function readyz(
  readiness: Readiness,
  isVerbose: boolean,
): Promise<{ status: number; body: string; type: string }> {
  const checks = await Promise.all(
    Object.entries(readiness).map(async ([name, check]) => {
      const flaw = await check().catch((error: unknown) =>
        error instanceof Error ? error.message : 'not well',
      );
      return { name, ok: flaw === null, detail: flaw ?? 'ok' };
    }),
  );
  const ready = checks.every(({ ok }) => ok);
  const status = ready ? 200 : 503;
  if (isVerbose) {
    return { status, body: JSON.stringify({ ready, checks }), type: 'application/json' };
  }
  const lines = checks.map(({ name, detail }) => `${name}: ${detail}`);
  return { status, body: `${lines.join('\n')}\n`, type: 'text/plain' };
}
