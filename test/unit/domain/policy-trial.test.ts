import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planTargets } from '../../../activities/plan-targets.ts';
import type { Alert } from '../../../contracts/alert.ts';
import { defaultClocks, limits } from '../../../contracts/limits.ts';
import type { AlertRef, RemediationInput } from '../../../contracts/temporal.ts';
import { MailboxState } from '../../../domain/mailbox.ts';
import { type GroupPlan, judgeAlert, plansFor, type Trial } from '../../../domain/policy-trial.ts';
import { whyNothingStarts } from '../../../domain/start-refusal.ts';
import { stepBatches } from '../../../domain/step-batches.ts';
import { selectAgents } from '../../../platform/agent-matchers.ts';
import { noCrashPoints } from '../../../platform/crash-point.ts';
import { sha256 } from '../../../platform/digest.ts';
import type { LoadedPolicy, PolicySet } from '../../../platform/policy-files.ts';
import type { AlertFile } from '../../../workers/alert-file.ts';
import { EntryHandler } from '../../../workers/entry-handler.ts';
import { EntryJudge, type JudgeDeps } from '../../../workers/entry-judge.ts';
import type { MailboxLanes } from '../../../workers/mailbox-lanes.ts';
import type { MailboxAddress } from '../../../workers/mailbox-signals.ts';
import { PolicyStore } from '../../../workers/policy-store.ts';
import type { StormTeller } from '../../../workers/storm-teller.ts';
import { RunState } from '../../../workflows/run-state.ts';
import { SeededRandom } from '../../support/chaos/random.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { loadTexts } from '../../support/policy-set.ts';

const sets = 50;
const policiesOfSet = 2;
const bodiesOfSet = 5;
const agents = Array.from({ length: 24 }, (_, at) => ({
  agentId: `agent${String(at).padStart(7, '0')}`,
  journalId: `${at}`.padStart(26, '0'),
  labels: new Map([
    ['name', `agent-${at}`],
    // Two agents share a name, so that some alerts are ambiguous.
    ['hostname', `web${at === 23 ? 22 : at}`],
    ['service', at % 3 === 0 ? 'db' : 'web'],
    ['zone', `z${at % 3}`],
  ]),
}));

const policyText = (name: string, random: SeededRandom): string =>
  [
    'apiVersion: fixpoint/v1',
    'kind: Policy',
    `name: ${name}`,
    `match: { source: alertmanager, matchers: [${random.of(['service="web"', '\'service=~"web|db"\'', 'severity="page"', 'env!="lab"'])}] }`,
    `group: { by: [${random.of(['service', 'instance', 'alertname', 'service, severity'])}], wait: ${random.of(['0s', '5s'])} }`,
    `targets: ${random.of([
      '{ from: { label: instance, strip: port, by: hostname } }',
      '{ from: { label: instance, strip: port, by: hostname }, onMissing: skip }',
      '{ select: [service="web"] }',
      '{ select: [zone="z9"] }',
      '{ from: { label: host, by: hostname } }',
    ])}`,
    'autonomy: auto',
    `runbook: ${random.of(['plain', 'filled', 'steps'])}`,
    random.of([
      '',
      'guards: { blastRadius: 2 }',
      'guards: { maxTargets: 3 }',
      'guards: { maxTargets: "10%", blastRadius: "50%" }',
      `guards: { shield: ['env="lab"'] }`,
      'guards: { maintenance: [{ cron: "* * * * *", for: 2m }] }',
    ]),
    random.of(['', 'continue: true']),
  ].join('\n');

const step = (name: string, args: string, batches: string) =>
  `  - { name: ${name}, script: { inline: "exit 0"${args} }, rollout: { batches: "${batches}" } }`;
const runbook = (name: string, verify: boolean, ...steps: readonly string[]) =>
  [
    'apiVersion: fixpoint/v1',
    'kind: Runbook',
    `name: ${name}`,
    'steps:',
    ...steps,
    ...(verify ? ['verify: { probe: { script: { inline: "exit 0" } } }'] : []),
  ].join('\n');
const runbooks = {
  'plain.yaml': runbook('plain', true, step('one', '', '1 10% +5 *2')),
  'filled.yaml': runbook('filled', false, step('one', ', args: ["$' + '{labels.env}"]', '1 3')),
  'steps.yaml': runbook('steps', true, step('one', '', '2'), step('two', '', '1 50%')),
};

const anAlert = (random: SeededRandom, n: number): Alert => {
  const labels = Object.entries({
    alertname: random.of(['Down', 'Full']),
    severity: random.of(['page', 'info']),
    service: random.of(['web', 'web', 'db', 'mail']),
    instance: `web${random.between(0, 26)}:9100`,
    ...(random.next() < 0.5 ? { env: random.of(['lab', 'prod']) } : {}),
    ...(random.next() < 0.2 ? { host: `web${random.between(0, 24)}` } : {}),
  }).sort(([left], [right]) => (left < right ? -1 : 1));
  return {
    source: random.next() < 0.95 ? 'alertmanager' : 'other',
    fingerprint: `f${n}`,
    status: random.next() < 0.9 ? 'firing' : 'resolved',
    startsAt: '2027-01-15T07:00:00Z',
    endsAt: '2027-01-15T07:30:00Z',
    name: 'Down',
    severity: 'page',
    labels,
    annotations: [],
    receivedAt: '2027-01-15T08:00:00.000Z',
    deliveryId: `d${n}`.padEnd(26, '0'),
    rawDigest: '',
    truncated: random.next() < 0.05,
  };
};

/** Nobody senses a storm here: what is said of one alert must not hang on the others. */
const calm = {} as unknown as StormTeller;
const calmFleet = {
  sense: { count: async (hosts: readonly unknown[]) => hosts.map(() => null) },
  fleet: {
    refresh: async () => {},
    agentOf: () => null,
    massLimitOf: () => ({ hosts: agents.length, text: '' }),
    domainsOf: () => [],
  },
} as unknown as Pick<JudgeDeps, 'sense' | 'fleet'>;

/** What the dispatcher hands to which mailbox, and how each entry ends. */
async function dispatched(set: PolicySet, alerts: readonly Alert[], clock: ManualClock) {
  const handed = new Map<string, { address: MailboxAddress; refs: AlertRef[] }>();
  const lanes = {
    async send(address: MailboxAddress, ref: AlertRef) {
      const key = `${address.policy}:${address.groupId}`;
      const lane = handed.get(key) ?? { address, refs: [] };
      lane.refs.push(ref);
      handed.set(key, lane);
      return 'delivered';
    },
  } as unknown as MailboxLanes; // Of the lanes a handler uses nothing else.
  const alertFile = { append: async () => {} } as unknown as AlertFile; // Neither of the file.
  const policies = new PolicyStore(set);
  const of = { policies, clock, crash: noCrashPoints };
  const handler = new EntryHandler({ ...of, lanes, alertFile, storms: calm });
  const judge = new EntryJudge({ ...of, ...calmFleet });
  const fates: string[] = [];
  for (const alert of alerts) {
    const { source, deliveryId } = alert;
    const text = JSON.stringify(alert);
    const entry = { id: '1-1', source, deliveryId, text, claimed: false };
    const [judged] = await judge.judge([entry], [{ tombstone: null, isDoubtful: false }]);
    if (judged === undefined) throw new Error('every entry is judged');
    const end = await handler.handle(judged);
    fates.push(end.fates.map((of) => ('reason' in of ? of.reason : of.kind)).join());
  }
  return { handed, fates };
}

type Decision = readonly [place: string, outcome: string, batches: string];

/** What a mailbox, a plan activity and a repair really decide of what they are handed. */
async function decided(
  set: PolicySet,
  { address, refs }: { readonly address: MailboxAddress; readonly refs: readonly AlertRef[] },
  nowMs: number,
): Promise<Decision | null> {
  const policy = set.policies.find(({ name }) => name === address.policy);
  const book = set.runbooks.get(policy?.spec.runbook ?? '');
  if (policy === undefined || book === undefined) throw new Error('its policy is loaded');
  const mailbox = new MailboxState({ settings: address.settings, carried: undefined });
  mailbox.take(refs, nowMs);
  const first = mailbox.decide(nowMs);
  const due = first.kind === 'wait' ? mailbox.decide(first.untilMs ?? nowMs) : first;
  if (due.kind !== 'start') return null;
  const place = `${address.policy}:${address.groupId}`;
  const plan = await planTargets(
    {
      inventory: async () => ({ complete: true, agents }),
      tombstones: async (fingerprints) => fingerprints.map(() => null),
      select: selectAgents,
      targetsMax: limits.targetsMax,
      blastRadius: undefined,
    },
    {
      targets: policy.frozen.targets,
      episodes: due.episodes,
      ...(policy.frozen.guards === undefined ? {} : { guards: policy.frozen.guards }),
    },
  );
  if (plan.kind === 'held') return [place, `${plan.reason}: ${plan.detail}`, ''];
  const input: RemediationInput = {
    ...{ remediationId: `remediation:${place}:12345678-1`, mailboxId: `mailbox:${place}` },
    ...{ trigger: 'alert', policy: policy.frozen, runbook: book, groupId: address.groupId },
    ...{ episodes: due.episodes, clocks: defaultClocks, callbackUrl: '' },
  };
  const run = new RunState(input, nowMs);
  run.planned(plan);
  const refusal = whyNothingStarts(run);
  if (refusal?.kind === 'held') return [place, `${refusal.reason}: ${refusal.detail}`, ''];
  const everyone = run.targets.map((_, position) => position);
  const batches = book.steps.map((of) => {
    const cut = stepBatches(run, of, everyone);
    return cut.kind === 'planned' ? cut.batches : [];
  });
  return [place, run.targets.map(({ agentId }) => agentId).join(), JSON.stringify(batches)];
}

function triedOf(group: GroupPlan<LoadedPolicy>): Decision {
  const place = `${group.policy.name}:${group.groupId}`;
  const { plan, refusal, steps } = group;
  if (plan.kind === 'held') return [place, `${plan.reason}: ${plan.detail}`, ''];
  if (refusal !== null) return [place, `${refusal.reason}: ${refusal.detail}`, ''];
  const batches = JSON.stringify(steps.map((of) => of.batches));
  return [place, plan.targets.map(({ agentId }) => agentId).join(), batches];
}

const byPlace = ([left]: Decision, [right]: Decision) => (left < right ? -1 : 1);

describe('trying a policy', () => {
  it('says of 500 generated policies and alerts what is really decided, and what becomes of each alert', async () => {
    const random = new SeededRandom(20);
    const clock = new ManualClock();
    const nowMs = clock.now();
    const seen = new Map<string, number>();
    let pairs = 0;
    for (let set = 0; set < sets; set++) {
      const names = Array.from({ length: policiesOfSet }, (_, at) => `p${at}`);
      const files = await loadTexts({
        policies: { 'p.yaml': names.map((name) => policyText(name, random)).join('\n---\n') },
        runbooks,
      });
      if (files.kind === 'flawed') throw new Error(JSON.stringify(files.flaws));
      const trial: Trial<LoadedPolicy> = {
        ...{ ...files.set, agents, select: selectAgents, targetsMax: limits.targetsMax, sha256 },
        ...{ blastRadius: undefined, clocks: defaultClocks, nowMs },
      };
      for (let body = 0; body < bodiesOfSet; body++) {
        const alerts = Array.from({ length: random.between(1, 8) }, (_, n) => anAlert(random, n));
        const { handed, fates } = await dispatched(files.set, alerts, clock);
        const real: Decision[] = [];
        for (const lane of handed.values()) {
          const decision = await decided(files.set, lane, nowMs);
          if (decision !== null) real.push(decision);
        }

        const tried = plansFor(alerts, trial).map(triedOf);

        assert.deepEqual(tried.sort(byPlace), real.sort(byPlace), `set ${set}, body ${body}`);
        for (const [at, alert] of alerts.entries()) {
          const verdicts = judgeAlert(alert, trial).map(({ kind }) => kind);
          assert.equal(fateOf(alert, verdicts), fates[at], `set ${set}, body ${body}, alert ${at}`);
        }
        for (const [, outcome, batches] of real) {
          const kind = batches === '' ? (outcome.split(':')[0] ?? '') : 'starts';
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
        }
        pairs += policiesOfSet;
      }
    }
    assert.equal(pairs, 500);
    for (const kind of ['starts', 'no_target', 'limit_exceeded', 'missing_label', 'cap_reached']) {
      assert.ok((seen.get(kind) ?? 0) > 0, `${kind} was among ${JSON.stringify([...seen])}`);
    }
  });
});

/** How the dispatcher counts an alert of which the policies say this. */
function fateOf(alert: Alert, verdicts: readonly string[]): string {
  const taking = verdicts.filter((kind) => !['source', 'matcher', 'not_asked'].includes(kind));
  assert.ok(!alert.truncated || taking.every((kind) => kind === 'truncated'));
  if (alert.truncated) return 'truncated';
  if (taking.length === 0) return 'unmatched';
  // A resolved is handed on, to a running repair if there is one.
  const fates: Record<string, string> = { taken: 'handed', resolved: 'handed' };
  return taking.map((kind) => fates[kind] ?? kind).join();
}
