import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { CoreActivities } from '../../contracts/activities.ts';
import type { AdmitAnswer } from '../../contracts/admission.ts';
import type { OperatorToken } from '../../contracts/operator-token.ts';
import type { OperatorDecision, RemediationResult } from '../../contracts/temporal.ts';
import { readAudit } from '../../platform/audit.ts';
import { noCrashPoints } from '../../platform/crash-point.ts';
import { remediationStarter } from '../../workers/remediation-starter.ts';
import { operate } from '../support/alertmanager-posts.ts';
import { askedPlan } from '../support/asked-repair.ts';
import { allGranted, aRemediation } from '../support/builders.ts';
import { startCoreWorkers } from '../support/core-workers.ts';
import { eventually } from '../support/eventually.ts';
import { someGuards } from '../support/fake-governor.ts';
import { startTestApi, temporalClient } from '../support/intake-product.ts';
import { aPolicyText, policySet } from '../support/policy-set.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { startTemporal, type TemporalServer } from '../support/temporal-server.ts';

const operators: readonly OperatorToken[] = [
  { name: 'vera', role: 'viewer', token: 'token-of-vera-123' },
  { name: 'bob', role: 'operator', token: 'token-of-bob-1234' },
  { name: 'anna', role: 'approver', token: 'token-of-anna-123' },
  { name: 'carl', role: 'admin', token: 'token-of-carl-123' },
];
type Name = 'vera' | 'bob' | 'anna' | 'carl';
type Answer = {
  readonly status: number;
  readonly code?: string;
  readonly answer?: string;
  readonly progress?: unknown;
};
type Progress = {
  readonly state: string;
  readonly approval?: { readonly given: readonly string[]; readonly digest: string };
  readonly decisions?: readonly OperatorDecision[];
};

describe('approvals by named operators', () => {
  let redis: RedisServer;
  let temporal: TemporalServer;
  let client: ReturnType<typeof temporalClient>;
  let api: Awaited<ReturnType<typeof startTestApi>>;
  let workers: Awaited<ReturnType<typeof startCoreWorkers>>;
  const over = Promise.withResolvers<AdmitAnswer>();

  before(async () => {
    [redis, temporal] = await Promise.all([startRedis(), startTemporal()]);
    client = temporalClient(temporal.address);
    api = await startTestApi({
      redisUrl: redis.url,
      client: client.client,
      policies: await policySet(aPolicyText('web')),
      over: { operators },
    });
    const activities: CoreActivities = {
      planTargets: async () => askedPlan([0, 1]),
      // Whoever is admitted waits until the tests are over: what matters here is before that.
      admitBatch: () => over.promise,
      watchdogHeard: async () => null,
      probeHttp: async ({ hosts }) => ({ letters: 's'.repeat(hosts.length), failures: [] }),
      sendEscalation: async () => {},
      recordEscalation: async () => {},
      recordOutcome: async () => {},
      publishControl: async (state) => state.revision,
    };
    Runtime.install({
      logger: new DefaultLogger('ERROR'),
      telemetryOptions: { logging: { filter: 'ERROR' } },
    });
    workers = await startCoreWorkers({ address: temporal.address, activities });
  });
  after(async () => {
    over.resolve(allGranted(2));
    await workers.stop();
    await api.stop();
    await client.stop();
    await redis.stop();
    await temporal.stop();
  });

  const as = async (name: Name, path: string, body?: object): Promise<Answer> => {
    const token = operators.find((operator) => operator.name === name)?.token ?? '';
    const response = await operate(api.url, path, {
      token,
      ...(body === undefined ? {} : { method: 'POST', body }),
    });
    return { ...((await response.json()) as object), status: response.status };
  };
  const asking = async (n: number): Promise<{ id: string; path: string }> => {
    const id = `remediation:restart-web:web~00000000:12345678-${n}`;
    const input = aRemediation({
      remediationId: id,
      policy: {
        ...aRemediation().policy,
        guards: someGuards,
        autonomy: 'approve',
        approval: { approvers: 2, expiresMs: 3_600_000 },
      },
    });
    await remediationStarter({ client: client.client, crashPoints: noCrashPoints }).start(input);
    const path = `/v1/remediations/${encodeURIComponent(id)}`;
    await eventually(async () => assert.equal((await shown(path)).state, 'awaiting_approval'));
    return { id, path };
  };
  const shown = async (path: string): Promise<Progress> => {
    const { progress } = await as('vera', path);
    return progress as Progress; // What the api answers here is the contract tests' matter.
  };

  it('by role: who looks or acts does not approve; two who may let it begin; each is in the audit log', async () => {
    const { path } = await asking(1);

    const byVera = await as('vera', `${path}/approve`, {});
    const byBob = await as('bob', `${path}/approve`, {});
    const stale = await as('anna', `${path}/approve`, { digest: 'cdcdcdcdcdcd' });
    const first = await as('anna', `${path}/approve`, {
      digest: (await shown(path)).approval?.digest,
      operator_name: 'carl',
    });
    const again = await as('anna', `${path}/approve`, {});
    const { approval, state } = await shown(path);
    const second = await as('carl', `${path}/approve`, { reason: 'looked at both' });

    assert.deepEqual(
      [byVera, byBob, stale].map(({ status, code }) => [status, code]),
      [
        [403, 'forbidden'],
        [403, 'forbidden'],
        [409, 'plan_stale'],
      ],
    );
    assert.deepEqual([state, approval?.given], ['awaiting_approval', ['anna']]);
    const words = [first, again, second].map(({ status, answer }) => [status, answer]);
    assert.deepEqual(words, [
      [202, '1 of 2 approvals'],
      [202, 'anna has approved already: 1 of 2'],
      [202, '2 of 2 approvals'],
    ]);
    await eventually(async () => assert.equal((await shown(path)).state, 'admitting'));
    const { decisions = [] } = await shown(path);
    assert.deepEqual(
      decisions.map(({ action, by, claimed, via, reason }) => [action, by, claimed, via, reason]),
      [
        ['approve', 'anna', 'carl', 'api', ''],
        ['approve', 'carl', undefined, 'api', 'looked at both'],
      ],
    );
    const records = (await readAudit(`${api.stateDir}/audit`)).filter(
      ({ kind }) => kind === 'remediation.approve',
    );
    assert.deepEqual(
      records.map(({ actor, detail }) => [actor, detail['claimedBy'], detail['outcome']]),
      [
        ['anna', null, 'plan_stale'],
        ['anna', 'carl', 'done'],
        ['anna', null, 'done'],
        ['carl', null, 'done'],
      ],
    );
  });

  it('rejected by an operator: it ends cancelled with their name, also in the audit log', async () => {
    const { id, path } = await asking(2);

    const silent = await as('bob', `${path}/reject`, {});
    const rejected = await as('bob', `${path}/reject`, { reason: 'wrong hosts' });
    const result = (await client.client.workflow.getHandle(id).result()) as RemediationResult;
    const late = await as('anna', `${path}/approve`, {});

    assert.deepEqual([silent.status, rejected.status, late.status], [400, 202, 410]);
    assert.deepEqual([result.state, result.reason], ['cancelled', 'rejected by bob: wrong hosts']);
    const record = (await readAudit(`${api.stateDir}/audit`)).find(
      ({ kind }) => kind === 'remediation.reject',
    );
    assert.deepEqual([record?.actor, record?.object], ['bob', id]);
  });

  it('the kill switch: an approver stops, and may not let start again', async () => {
    const put = async (name: Name, stopped: boolean) => {
      const token = operators.find((operator) => operator.name === name)?.token ?? '';
      const { status } = await operate(api.url, '/v1/control', {
        ...{ method: 'PUT', token, body: { stopped, reason: 'storm' } },
      });
      return status;
    };

    assert.equal(await put('anna', false), 403);
    assert.equal(await put('vera', true), 403);
    assert.notEqual(await put('anna', true), 403);
  });
});
