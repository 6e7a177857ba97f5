import { FixpointError } from '../domain/errors.ts';
import type { AuditLog } from '../platform/audit.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';

/** Who acts: the credential, and beside it the name that was only claimed (invariant 9). */
export type Actor = { readonly credential: string; readonly claimed: string | null };

/** The one operator credential of this version. */
export const operatorCredential = 'operator';

/**
 * Does what an operator asked and keeps one audit record of it, refused or not. A record that
 * cannot be written is an error in the log, not a reason to leave a stop undone.
 */
export async function audited<T>(
  of: {
    readonly audit: AuditLog;
    readonly log: Log;
    readonly crash: CrashPoints<'api'>;
    readonly kind: string;
    readonly actor: Actor;
    readonly object: string;
    readonly detail: Readonly<Record<string, unknown>>;
  },
  work: () => Promise<T>,
): Promise<T> {
  const record = async (outcome: string) => {
    const { kind, actor, object } = of;
    const detail = { ...of.detail, claimedBy: actor.claimed, outcome };
    await of.audit
      .append({ kind, actor: actor.credential, object, detail })
      .catch((error: unknown) => of.log.error({ error, kind }, 'an audit record was not written'));
  };
  try {
    of.crash('before-update');
    const result = await work();
    of.crash('after-update');
    await record('done');
    of.crash('after-audit');
    return result;
  } catch (error) {
    await record(error instanceof FixpointError ? error.code : 'internal');
    throw error;
  }
}
