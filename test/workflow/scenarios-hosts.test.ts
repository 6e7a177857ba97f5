import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { type AdmitDeps, admitBatch } from '../../activities/admit-batch.ts';
import type { FrozenGuards } from '../../contracts/frozen.ts';
import { defaultClocks } from '../../contracts/limits.ts';
import { type RemediationResult, taskQueues, workflowTypes } from '../../contracts/temporal.ts';
import { admit, type Holds, release } from '../../domain/blast-radius.ts';
import { planHosts } from '../../domain/repair-plan.ts';
import type { InventoryAgent } from '../../domain/target-selection.ts';
import { selectAgents } from '../../platform/agent-matchers.ts';
import { noCrashPoints } from '../../platform/crash-point.ts';
import { aRemediation, aRunbook } from '../support/builders.ts';
import { aRollout, quickGateway } from '../support/guarded-repair.ts';
import {
  nextRepairId,
  planOf,
  repairOn,
  type ScriptedGateway,
} from '../support/scripted-gateway.ts';
import { timeSkipping, withWorkers } from '../support/workflow-environment.ts';

const fleet: readonly InventoryAgent[] = Array.from({ length: 12 }, (_, at) => ({
  agentId: `a${String(at).padStart(11, '0')}`,
  journalId: `${at}`.padStart(26, '0'),
  labels: new Map([
    ['service', 'web'],
    ['region', 'eu'],
    ['zone', at < 6 ? 'eu-1' : 'eu-2'],
  ]),
}));

/** Holds that all repairs of a test share, by the rules of the governor. */
function someHolds() {
  let holds: Holds = new Map();
  /** The most that were held at once, and in how many zones. */
  const most = { hosts: 0, zones: 0 };
  const governor = {
    async admit(admission: Parameters<typeof admit>[1]) {
      const judged = admit(holds, admission);
      holds = judged.holds;
      const zones = [...holds.values()].flatMap(({ domains }) =>
        domains.filter((domain) => domain.startsWith('zone=')),
      );
      most.hosts = Math.max(most.hosts, holds.size);
      most.zones = Math.max(most.zones, new Set(zones).size);
      return { kind: 'judged' as const, verdicts: judged.verdicts };
    },
    async release(of: Parameters<typeof release>[1]) {
      holds = release(holds, of);
      return { kind: 'released' as const };
    },
  };
  const free = (remediationId: string) =>
    governor.release({ remediationId, agentIds: [...holds.keys()] });
  return { governor, most, free };
}

const admissionOf = ({ governor }: ReturnType<typeof someHolds>): AdmitDeps => ({
  inventory: async () => ({ complete: true, agents: fleet }),
  ...{ governor, stops: async () => [] },
  connected: async (agentIds) => new Set(agentIds),
  ...{ blastRadius: undefined, judged: () => {}, crash: noCrashPoints },
});

// Scenarios of public incidents, by their names (safety.md 2.1). Each is told twice: with its guard,
// and without, where the harm must happen; else the test would prove nothing.
describe('scenarios of hosts', () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await timeSkipping();
  });
  after(() => environment.teardown());

  /** One repair of hosts that are selected by these matchers, with the real plan and admission. */
  async function repairOf(of: {
    readonly select: readonly string[];
    readonly guards: FrozenGuards;
    readonly holds?: ReturnType<typeof someHolds>;
    readonly gateway?: ScriptedGateway;
    readonly plan?: 'real' | 'empty means all';
    readonly batches?: string;
  }) {
    const { select, guards, gateway = quickGateway(), holds = someHolds() } = of;
    const { episodes, policy } = aRemediation();
    const targets = { from: null, select, onMissing: 'refuse' as const };
    const asked = { targets, episodes, agents: fleet, select: selectAgents, guards };
    const everyone = fleet.filter(({ labels }) => selectAgents(select, labels));
    const careless = everyone.map(({ agentId, journalId }) => ({ agentId, journalId }));
    const plan =
      of.plan === 'empty means all'
        ? ({ kind: 'planned', targets: careless, resolved: [], skipped: [] } as const)
        : planHosts({ ...asked, targetsMax: 100, blastRadius: undefined });
    const remediationId = nextRepairId();
    const { result } = await repairOn(environment, {
      ...{ gateway, plan },
      input: {
        ...{ remediationId, runbook: aRunbook({ steps: [aRollout(of.batches ?? '12')] }) },
        policy: { ...policy, targets, ...(of.plan === undefined ? { guards } : {}) },
        clocks: { ...defaultClocks, admitTimeoutMs: 60_000 },
      },
      activities: {
        admitBatch: (input) => admitBatch(admissionOf(holds), input),
        recordOutcome: async () => {
          await holds.free(remediationId);
        },
      },
    });
    const restarts = gateway.submitted.filter(({ key }) => key.includes('/restart/'));
    return { result, hosts: restarts.reduce((sum, { task }) => sum + task.targets.length, 0) };
  }

  describe('S01 empty-selector-is-an-error', () => {
    const guards = { domainBy: ['zone'], blastRadius: '100%' };

    it('a selection without a matcher, or that nobody satisfies, touches nobody and says why', async () => {
      for (const select of [[], ['service="gone"']]) {
        const { result, hosts } = await repairOf({ select, guards });

        assert.equal(result.state, 'held');
        assert.match(result.reason ?? '', /^no_target: .*\b0\b.*at least 1 must/);
        assert.equal(hosts, 0);
      }
    });

    it('read as all, the same empty selection reaches the whole fleet', async () => {
      const { hosts } = await repairOf({ select: [], guards, plan: 'empty means all' });

      assert.equal(hosts, fleet.length);
    });
  });

  describe('S06 capacity-floor', () => {
    const more = { select: ['service="web"'], batches: '12' };

    it('more than the floor allows is refused with the numbers, and the floor stays', async () => {
      const holds = someHolds();
      const gateway = quickGateway((key, task) =>
        (key.includes('/verify/') ? 'f' : 's').repeat(task.targets.length),
      );

      const { hosts } = await repairOf({
        ...{ ...more, holds, gateway },
        guards: { domainBy: ['zone'], blastRadius: '100%', floor: 9 },
      });

      assert.equal(hosts, 3);
      assert.equal(fleet.length - holds.most.hosts, 9);
    });

    it('without a floor nothing is left of the service', async () => {
      const holds = someHolds();

      const { hosts } = await repairOf({
        ...{ ...more, holds },
        guards: { domainBy: ['zone'], blastRadius: '100%' },
      });

      assert.equal(hosts, fleet.length);
      assert.equal(fleet.length - holds.most.hosts, 0);
    });
  });

  describe('S09 one-domain-at-a-time', () => {
    /** Two repairs at once, one in each zone of a region; in how many zones hosts were held at once. */
    async function twoPlans(guards: FrozenGuards) {
      const holds = someHolds();
      const gateway = quickGateway();
      const ids = [nextRepairId(), nextRepairId()] as const;
      const inputOf = (at: 0 | 1) => {
        const targets = {
          from: null,
          select: [`zone="eu-${at + 1}"`],
          onMissing: 'refuse' as const,
        };
        return aRemediation({
          ...{ remediationId: ids[at], runbook: aRunbook({ steps: [aRollout('6')] }) },
          policy: { ...aRemediation().policy, targets, guards },
        });
      };
      const start = (at: 0 | 1) =>
        environment.client.workflow.start(workflowTypes.remediation, {
          ...{ workflowId: ids[at], taskQueue: taskQueues.workflows, args: [inputOf(at)] },
        });
      let second: ReturnType<typeof start> | undefined;
      const whileFirstRuns: string[] = [];
      let isFirstDone = false;
      gateway.onSubmit = async (key) => {
        if (key.startsWith(`${ids[1]}/`) && !isFirstDone) whileFirstRuns.push(key);
        if (!key.startsWith(`${ids[0]}/restart/`)) return;
        // The second one asks while hosts of the first are touched and not proven.
        second ??= start(1);
        await second;
        await environment.sleep('5 s');
      };
      const { recorded: _, ...activities } = gateway.activities(planOf(1));
      const states = await withWorkers(
        environment,
        {
          ...activities,
          planTargets: async (input) =>
            planHosts({
              ...{ ...input, agents: fleet, select: selectAgents },
              ...{ targetsMax: 100, blastRadius: undefined },
            }),
          admitBatch: (input) => admitBatch(admissionOf(holds), input),
          recordOutcome: async ({ result }) => {
            isFirstDone ||= result.remediationId === ids[0];
            await holds.free(result.remediationId);
          },
        },
        async () => {
          const first: RemediationResult = await (await start(0)).result();
          const later: RemediationResult | undefined = await (await second)?.result();
          return [first.state, later?.state];
        },
      );
      return { states, holds, whileFirstRuns };
    }

    it('the plan in the second zone waits until the first one is proven', async () => {
      const { states, holds, whileFirstRuns } = await twoPlans({
        ...{ domainBy: ['region', 'zone'], blastRadius: 6 },
      });

      assert.deepEqual(states, ['verified', 'verified']);
      assert.equal(holds.most.zones, 1);
      assert.deepEqual(whileFirstRuns, []);
    });

    it('capped zone by zone alone, both are down at once', async () => {
      const { states, holds } = await twoPlans({ domainBy: ['zone'], blastRadius: 6 });

      assert.deepEqual(states, ['verified', 'verified']);
      assert.equal(holds.most.zones, 2);
    });
  });
});
