import type { OperatorRole } from '../contracts/operator-token.ts';

/** What operators do; looking is open to every role. */
export type OperatorAct =
  | 'plan'
  | 'start'
  | 'approve'
  | 'reject'
  | 'pause'
  | 'resume'
  | 'confirmBatch'
  | 'retryFailed'
  | 'cancel'
  | 'stop'
  | 'allow'
  | 'lockAgent'
  | 'unlockAgent'
  | 'openBreaker'
  | 'closeBreaker';

/**
 * Who may do what. Whoever may act at all may also keep things from being done: reject, pause, cancel,
 * stop. Those who act do not approve, and those who approve do not act; an admin does both.
 */
const acts: Readonly<Record<OperatorRole, ReadonlySet<OperatorAct> | 'all'>> = {
  viewer: new Set<OperatorAct>(['plan']),
  approver: new Set<OperatorAct>([
    'plan',
    'approve',
    'reject',
    'pause',
    'cancel',
    'stop',
    'openBreaker',
  ]),
  operator: new Set<OperatorAct>([
    ...(['plan', 'start', 'reject', 'pause', 'resume', 'confirmBatch', 'retryFailed'] as const),
    ...([
      'cancel',
      'stop',
      'allow',
      'lockAgent',
      'unlockAgent',
      'openBreaker',
      'closeBreaker',
    ] as const),
  ]),
  admin: 'all',
};

/** Whether a role may do this. Whose own change it is, is asked elsewhere. */
export function mayDo(role: OperatorRole, act: OperatorAct): boolean {
  const allowed = acts[role];
  return allowed === 'all' || allowed.has(act);
}

/** The roles that may do this, for people. */
export const rolesThatMay = (act: OperatorAct): readonly OperatorRole[] =>
  (Object.keys(acts) as OperatorRole[]).filter((role) => mayDo(role, act)); // The table's own keys.
