import { FixpointError } from '../domain/errors.ts';
import type { AuditLog } from '../platform/audit.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import { type Actor, sharedOperator } from './operator-identity.ts';

/**
 * The name under which others see what was done: the credential's, or for the token that all share the
 * name that was claimed. It gives no right.
 */
export const shownName = ({ credential, claimed }: Actor): string =>
  credential === sharedOperator.name ? (claimed ?? credential) : credential;

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
