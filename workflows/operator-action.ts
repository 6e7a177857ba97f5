import type { ApprovalUpdate } from '../contracts/temporal.ts';
import type { AnswerRefusal } from '../domain/approval.ts';
import type { RunState } from './run-state.ts';

/**
 * An update of an operator: why it is refused now, or null, and what it does. A refusal in words alone is
 * a conflict. What `act` answers is the update's own answer.
 */
export type OperatorAction = {
  readonly name: string;
  /** It may be said without a reason. */
  readonly isMute?: true;
  readonly refusal: (run: RunState, update: ApprovalUpdate) => string | AnswerRefusal | null;
  readonly act: (run: RunState, update: ApprovalUpdate) => string | undefined;
  /** It changes nothing now, and is not kept among the decisions. */
  readonly isRepeat?: (run: RunState, update: ApprovalUpdate) => boolean;
};
