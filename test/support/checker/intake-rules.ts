import type { HostRecords } from './host-records.ts';
import type { Run } from './repair-histories.ts';

/** One alert that the sender was told is kept. */
export type Post = {
  readonly case: string;
  readonly fingerprint: string;
  readonly status: 'firing' | 'resolved';
  readonly startsAt: string;
  /** `repair`: one repair is due; `nothing`: its end was kept before it was sent (invariant 7). */
  readonly due: 'repair' | 'nothing';
  /** Unix milliseconds. */
  readonly answeredAt: number;
};

/** A delivery as the api tells what became of it. */
export type DeliveryView = {
  readonly fingerprint: string;
  readonly status: string;
  readonly startsAt: string;
  readonly outcomes: readonly {
    readonly fate: { readonly kind: string };
    readonly mailboxId: string | null;
  }[];
};

export type IntakeRecords = {
  readonly posts: readonly Post[];
  readonly deliveries: readonly DeliveryView[];
  /** The api's own metrics, as text. */
  readonly metrics: string;
};

type Episodes = { readonly episodes: readonly { readonly fingerprint: string }[] };
type Alerts = {
  readonly alerts: readonly {
    readonly fingerprint: string;
    readonly status: string;
    readonly startsAt: string;
  }[];
};

/**
 * Accept means kept (invariant 1), and resolved is final (invariant 7): what was answered 200 has
 * one fate, what was handed is in a mailbox and has its one repair, and what was over starts nothing.
 */
export function intakeViolations(
  { posts, deliveries, metrics }: IntakeRecords,
  runs: readonly Run[],
  hosts: readonly HostRecords[],
): string[] {
  return [
    ...counterViolations(metrics),
    ...posts.flatMap((post) => fateViolations(post, deliveries, runs)),
    ...posts.flatMap((post) => repairCountViolations(post, runs)),
    ...posts
      .filter(({ due, status }) => due === 'nothing' && status === 'firing')
      .flatMap((post) =>
        hosts.flatMap(({ name, starts }) =>
          starts.some((start) => start.case === post.case)
            ? [`${name} was repaired for ${post.case}, which was over before it was told`]
            : [],
        ),
      ),
  ];
}

function counterViolations(metrics: string): string[] {
  const sumOf = (name: string): number =>
    metrics
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  const received = sumOf('fixpoint_intake_received_total');
  const fates = sumOf('fixpoint_intake_entries_total');
  const backlog = sumOf('fixpoint_intake_backlog');
  const violations: string[] = [];
  if (received !== fates + backlog) {
    violations.push(`${received} entries were received, ${fates} have a fate, ${backlog} wait`);
  }
  if (backlog !== 0) violations.push(`${backlog} entries still wait in the intake`);
  return violations;
}

function fateViolations(
  post: Post,
  deliveries: readonly DeliveryView[],
  runs: readonly Run[],
): string[] {
  const isSame = (of: { fingerprint: string; status: string; startsAt: string }) =>
    of.fingerprint === post.fingerprint &&
    of.status === post.status &&
    of.startsAt === post.startsAt;
  const what = `${post.status} of ${post.case}`;
  const [delivery, more] = deliveries.filter(isSame);
  if (delivery === undefined) return [`${what} was answered 200 and has no fate`];
  if (more !== undefined) return [`${what} has more than one fate`];
  return delivery.outcomes
    .filter(({ fate }) => fate.kind === 'handed')
    .flatMap(({ mailboxId }) => {
      const hasIt = runs.some(
        ({ workflowId, signals }) =>
          workflowId === mailboxId &&
          signals.some(
            ({ name, input }) => name === 'alerts' && (input as Alerts).alerts.some(isSame),
          ),
      );
      return hasIt ? [] : [`${what} is said to be handed, and ${mailboxId} never got it`];
    });
}

function repairCountViolations(post: Post, runs: readonly Run[]): string[] {
  if (post.status !== 'firing') return [];
  const repairs = runs.filter(
    ({ type, input }) =>
      type === 'remediation' &&
      (input as Episodes).episodes.some(({ fingerprint }) => fingerprint === post.fingerprint),
  );
  const ids = new Set(repairs.map(({ workflowId }) => workflowId));
  const due = post.due === 'repair' ? 1 : 0;
  return ids.size === due ? [] : [`${post.case} is due ${due} repairs and has ${ids.size}`];
}
