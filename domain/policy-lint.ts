import { contradiction, covers, letsAllPass, letsAllPresentPass } from './matcher-cover.ts';
import type { Matcher } from './matchers.ts';

// What is allowed in policies and runbooks, but seldom meant. Every warning can be true of a set
// that is right; so they stop no server, and only what can be proven from the files is said.

export type LintRule =
  | 'no_policies'
  | 'unbounded_match'
  | 'unbounded_select'
  | 'impossible_match'
  | 'never_reached'
  | 'same_hosts'
  | 'no_cooldown'
  | 'all_domains_at_once'
  | 'no_probe'
  | 'no_watchdog'
  | 'no_failure_limit';

/** What is unusual at one key, and what to write instead. `path` is as in YAML. */
export type LintFinding = {
  readonly rule: LintRule;
  readonly kind: 'policy' | 'runbook';
  readonly name: string;
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly fix: string;
};

/** As much of a policy as the rules look at. */
export type LintedPolicy = {
  readonly name: string;
  readonly source: string;
  readonly matchers: readonly Matcher[];
  readonly continues: boolean;
  /** How a host is found from an alert, as one text that is equal for equal ways; or null. */
  readonly from: string | null;
  /** Which agents are chosen by their labels; or null. Exactly one of the two is there. */
  readonly select: readonly Matcher[] | null;
  readonly runbook: string;
  readonly cooldownMs: number;
  /** `guards.blastRadius`; null where the policy does not say. */
  readonly blastRadius: number | string | null;
  /** Whether it asks that its source lives before it believes a resolved. */
  readonly hasWatchdog: boolean;
};
/** As much of a runbook as the rules look at. */
export type LintedRunbook = {
  readonly name: string;
  readonly hasProbe: boolean;
  /** Of each step in its order, its batch expression. */
  readonly batches: readonly string[];
  /** Of each step in its order; `"100%"` is a limit that nothing exceeds. */
  readonly maxFailures: readonly (number | string)[];
};

/** All findings: of the policies in their order, then of the runbooks. Says nothing about flaws. */
export function lintPolicies(
  policies: readonly LintedPolicy[],
  runbooks: readonly LintedRunbook[],
): LintFinding[] {
  return [
    ...policies.flatMap((policy, at) => [
      ...boundFindings(policy),
      ...cooldownFindings(policy),
      ...windowFindings(policy, runbooks),
      ...watchdogFindings(policy, runbooks),
      ...orderFindings(policy, policies.slice(0, at)),
      ...hostFindings(policy, policies.slice(0, at)),
    ]),
    ...runbooks.flatMap(runbookFindings),
  ];
}

type Said = Pick<LintFinding, 'rule' | 'path' | 'message' | 'fix'>;
const ofPolicy = ({ name }: LintedPolicy, said: Said): LintFinding => ({
  ...said,
  kind: 'policy',
  name,
});

/** A label that every alert has. */
const isOnAlerts = ({ name }: Matcher): boolean => name === 'alertname';
/** Labels that every agent has from its enrolment. */
const isOnAgents = ({ name }: Matcher): boolean => name === 'hostname' || name === 'name';

function boundFindings(policy: LintedPolicy): LintFinding[] {
  const takesAll = policy.matchers.every(
    (matcher) => letsAllPass(matcher) || (isOnAlerts(matcher) && letsAllPresentPass(matcher)),
  );
  // A host that has none of the labels is chosen: so is all of a fleet but what is excepted.
  const choosesAll = policy.select?.every(
    (matcher) => matcher.matches('') || (isOnAgents(matcher) && letsAllPresentPass(matcher)),
  );
  return [
    ...(takesAll
      ? [
          ofPolicy(policy, {
            rule: 'unbounded_match',
            path: ['match', 'matchers'],
            message: `takes every alert of ${policy.source}`,
            fix: 'name the alerts that the runbook repairs, such as \'alertname="ServiceDown"\'',
          }),
        ]
      : []),
    ...(choosesAll
      ? [
          ofPolicy(policy, {
            rule: 'unbounded_select',
            path: ['targets', 'select'],
            message: 'chooses every host that is not excepted, those enrolled later too',
            fix: 'add a matcher that says which hosts are meant, such as \'service="web"\'',
          }),
        ]
      : []),
  ];
}

const cooldownFindings = (policy: LintedPolicy): LintFinding[] =>
  policy.cooldownMs === 0
    ? [
        ofPolicy(policy, {
          rule: 'no_cooldown',
          path: ['guards', 'cooldown'],
          message: 'a repair that does not last is started again at once',
          fix: 'write a time in which the repair shows its effect, or leave it out for 15m',
        }),
      ]
    : [];

/**
 * Hosts of every fault domain in one batch, and no cap on any: whatever is wrong with the repair is wrong
 * everywhere in the same moment. Who is meant by an alert is a host of its own.
 */
function windowFindings(policy: LintedPolicy, runbooks: readonly LintedRunbook[]): LintFinding[] {
  const runbook = runbooks.find(({ name }) => name === policy.runbook);
  const takesAll = runbook?.batches.some((expression) => /^100%( |$)/.test(expression)) ?? false;
  if (policy.select === null || policy.blastRadius !== '100%' || !takesAll) return [];
  return [
    ofPolicy(policy, {
      rule: 'all_domains_at_once',
      path: ['guards', 'blastRadius'],
      message: `"${policy.runbook}" may touch every host of every fault domain in the same moment`,
      fix: 'let its batches grow, such as "1 10% +5 *2", or write a blastRadius below 100%',
    }),
  ];
}

/** Alertmanager also sends resolved for the alerts of a source that only went silent (invariant 12). */
function watchdogFindings(policy: LintedPolicy, runbooks: readonly LintedRunbook[]): LintFinding[] {
  const runbook = runbooks.find(({ name }) => name === policy.runbook);
  if (runbook === undefined || runbook.hasProbe || policy.hasWatchdog) return [];
  return [
    ofPolicy(policy, {
      rule: 'no_watchdog',
      path: ['verify'],
      message: 'a repair counts as resolved also when its source only went silent',
      fix: `give "${policy.runbook}" a verify.probe, or name an alert that always fires in verify.source.watchdog`,
    }),
  ];
}

/** Alerts that the policy can never get: because of itself, or of one policy before it. */
function orderFindings(policy: LintedPolicy, before: readonly LintedPolicy[]): LintFinding[] {
  const label = contradiction(policy.matchers);
  if (label !== null) {
    return [
      ofPolicy(policy, {
        rule: 'impossible_match',
        path: ['match', 'matchers'],
        message: `no alert can satisfy all matchers on "${label}" at once`,
        fix: `keep one matcher on "${label}"; several values are written ${label}=~"a|b"`,
      }),
    ];
  }
  const taker = before.find(
    (other) =>
      !other.continues && other.source === policy.source && covers(other.matchers, policy.matchers),
  );
  if (taker === undefined) return [];
  return [
    ofPolicy(policy, {
      rule: 'never_reached',
      path: ['match', 'matchers'],
      message: `never gets an alert: "${taker.name}" comes before it and takes all that match here`,
      fix: `put it before "${taker.name}" (files are read by name), or give "${taker.name}" continue: true`,
    }),
  ];
}

/** Earlier policies with another runbook for the very same hosts. One finding per policy. */
function hostFindings(policy: LintedPolicy, before: readonly LintedPolicy[]): LintFinding[] {
  const rival = before.find(
    (other) => other.runbook !== policy.runbook && isSameHosts(other, policy),
  );
  if (rival === undefined) return [];
  const how =
    policy.select === null
      ? `one alert starts "${policy.runbook}" here and "${rival.runbook}" of "${rival.name}" on the same host`
      : `"${rival.name}" chooses the same hosts for "${rival.runbook}", here it is "${policy.runbook}"`;
  return [
    ofPolicy(policy, {
      rule: 'same_hosts',
      path: [policy.select === null ? 'match' : 'targets'],
      message: how,
      fix:
        policy.select === null
          ? `remove continue: true from "${rival.name}", or make their matchers exclude each other`
          : 'let each choose its own hosts, or make the repairs steps of one runbook',
    }),
  ];
}

/**
 * Hosts by alert are the same only for the same alert, so that has to reach both. Hosts by selection
 * are the same for whatever alert.
 */
function isSameHosts(earlier: LintedPolicy, later: LintedPolicy): boolean {
  if (earlier.select !== null && later.select !== null) {
    return covers(earlier.select, later.select) && covers(later.select, earlier.select);
  }
  return (
    earlier.from !== null &&
    earlier.from === later.from &&
    earlier.continues &&
    earlier.source === later.source &&
    contradiction([...earlier.matchers, ...later.matchers]) === null
  );
}

function runbookFindings({ name, hasProbe, maxFailures }: LintedRunbook): LintFinding[] {
  const probe: LintFinding = {
    rule: 'no_probe',
    kind: 'runbook',
    name,
    path: ['verify'],
    message: 'only the sender\'s word, "resolved", says whether the repair helped',
    fix: 'add verify.probe, a script that ends with 0 on a host that is well',
  };
  return [
    ...(hasProbe ? [] : [probe]),
    ...maxFailures.flatMap((limit, at): LintFinding[] =>
      limit === '100%'
        ? [
            {
              rule: 'no_failure_limit',
              kind: 'runbook',
              name,
              path: ['steps', at, 'rollout', 'maxFailures'],
              message: 'goes on through all hosts, even if it fails on every one',
              fix: 'write how many hosts may fail before it stops, such as 0 or "10%"',
            },
          ]
        : [],
    ),
  ];
}
