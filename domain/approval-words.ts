import type { ApprovalView } from '../contracts/temporal.ts';
import { shortDigest } from './approval-digest.ts';
import { namesInWords } from './names-in-words.ts';

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const weekMs = 7 * 86_400_000;

/** `Tue 14:00 UTC`; with its date where the week alone does not say which. */
export function dayAndTime(atMs: number, nowMs: number): string {
  const at = new Date(atMs);
  const two = (number: number) => String(number).padStart(2, '0');
  const date =
    Math.abs(atMs - nowMs) < weekMs - 86_400_000
      ? ''
      : ` ${at.getUTCDate()} ${months[at.getUTCMonth()]}`;
  return `${days[at.getUTCDay()]}${date} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())} UTC`;
}

/** Whom a repair waits for, and until when. */
export function waitsForInWords(view: ApprovalView, nowMs: number): string {
  const { approvers, given, untilMs, added, hosts, notBy } = view;
  const left = approvers - given.length;
  const more = given.length === 0 ? '' : ' more';
  const comma = untilMs === null ? '' : ',';
  const who = notBy.length === 0 ? '' : `, not by ${notBy.join(' or ')}${comma}`;
  const about =
    added === undefined
      ? ''
      : ` of ${hosts} ${hosts === 1 ? 'host that is' : 'hosts that are'} new since it was approved: ${namesInWords(added)}`;
  const until =
    untilMs === null
      ? '; its time stands still while it is paused'
      : ` until ${dayAndTime(untilMs, nowMs)}`;
  const so = given.length === 0 ? '' : `; approved by ${given.join(', ')}`;
  return `waits for ${left}${more} ${left === 1 ? 'approval' : 'approvals'}${about}${who}${until}${so}`;
}

/** How to answer, as Markdown for Temporal UI. An id of ours holds neither quotes nor backticks. */
export function answersInMarkdown(remediationId: string, view: ApprovalView): readonly string[] {
  const argument = '{"by": "your name"}';
  const rejection = '{"by": "your name", "reason": "why"}';
  return [
    `**How to answer** (plan \`${shortDigest(view.digest)}\`)`,
    '',
    `- here: *More Actions* → *Send an Update*, name \`approve\`, data \`${argument}\`; or name \`reject\`, data \`${rejection}\``,
    `- \`fixpoint remediation approve '${remediationId}'\`, or \`reject … --reason why\``,
    `- \`temporal workflow update execute --workflow-id '${remediationId}' --name approve --input '${argument}'\``,
  ];
}
