import { z } from 'zod';
import type { OutputFormat } from './output.ts';
import { plainJson, plainLine } from './plain-text.ts';
import { type CliDeps, type Servers, selfOf } from './session.ts';

/** Asks for the end of a repair. It answers when the request is kept, not when hosts have stopped. */
export async function cancelRemediation(of: {
  readonly deps: CliDeps;
  readonly servers: Servers;
  readonly id: string;
  readonly reason: string;
  readonly by: string | undefined;
  readonly format: OutputFormat;
}): Promise<void> {
  const kept = await of.servers.api.send(
    {
      method: 'POST',
      path: `/v1/remediations/${encodeURIComponent(of.id)}/cancel`,
      body: {
        reason: of.reason,
        ...(of.by === undefined ? {} : { operator_name: of.by }),
      },
    },
    z.object({ id: z.string(), state: z.string() }),
  );
  if (of.format === 'json') return of.deps.terminal.out(`${plainJson(kept)}\n`);
  of.deps.terminal.err(
    `asked; it ends when the outcome of every host is known: ${selfOf(of.deps)} remediation tail '${plainLine(of.id)}'\n`,
  );
}
