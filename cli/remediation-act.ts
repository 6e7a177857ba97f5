import { remediationAction } from '../contracts/http.ts';
import { shortDigest } from '../domain/approval-digest.ts';
import { FixpointError } from '../domain/errors.ts';
import type { OutputFormat } from './output.ts';
import { plainJson, plainLine } from './plain-text.ts';
import { remediationOf } from './remediation-lookup.ts';
import { type CliDeps, type Servers, selfOf } from './session.ts';

export type RemediationAct = {
  readonly deps: CliDeps;
  readonly servers: Servers;
  readonly id: string;
  /** As in the route: `confirm-batch`. */
  readonly action: string;
  readonly reason: string;
  readonly by: string | undefined;
  readonly format: OutputFormat;
};

/** What is told when the repair has it; hosts follow later. */
const told: Readonly<Record<string, string>> = {
  approve: 'approved',
  reject: 'rejected; it ends cancelled, and nothing was done',
  pause: 'asked; no further batch starts, and what runs goes on',
  resume: 'asked; further batches start',
  'confirm-batch': 'asked; one batch more starts',
  'retry-failed': 'failed hosts are tried again',
  cancel: 'asked; it ends when the outcome of every host is known',
};

/** Asks something of a repair. It answers when the request is kept, not when it has its effect. */
export async function actOnRemediation(
  of: RemediationAct & { readonly digest?: string },
): Promise<void> {
  const { deps, action } = of;
  const kept = await of.servers.api.send(
    {
      method: 'POST',
      path: `/v1/remediations/${encodeURIComponent(of.id)}/${action}`,
      body: {
        reason: of.reason,
        ...(of.digest === undefined ? {} : { digest: of.digest }),
        ...(of.by === undefined ? {} : { operator_name: of.by }),
      },
    },
    remediationAction,
  );
  if (of.format === 'json') return deps.terminal.out(`${plainJson(kept)}\n`);
  const answer = kept.answer === undefined ? '' : ` (${plainLine(kept.answer)})`;
  deps.terminal.err(
    `${told[action] ?? 'asked'}${answer}: ${selfOf(deps)} remediation tail '${plainLine(kept.id)}'\n`,
  );
}

/**
 * Approves what is asked now, by its digest: what changes before the answer arrives is not approved. With
 * a digest of the caller’s own that one counts.
 */
export async function approveRemediation(
  of: Omit<RemediationAct, 'action'> & { readonly digest: string | undefined },
): Promise<void> {
  const act = { ...of, action: 'approve' };
  if (of.digest !== undefined) return actOnRemediation({ ...act, digest: of.digest });
  const { progress } = await remediationOf(of.servers.api, of.id);
  const { approval } = progress;
  if (approval === undefined) {
    throw new FixpointError(
      'conflict',
      `the remediation is ${progress.state}: it does not ask for an approval`,
    );
  }
  if (of.format === 'table') {
    const hosts = approval.added?.join(', ') ?? `${approval.hosts} hosts`;
    of.deps.terminal.err(
      `${plainLine(`plan ${shortDigest(approval.digest)}: ${progress.runbook} on ${hosts}`)}\n`,
    );
  }
  return actOnRemediation({ ...act, digest: approval.digest });
}
