import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { CoreActivities } from '../../contracts/activities.ts';
import type { ControlState } from '../../contracts/control.ts';
import { policyTestAnswer, remediationDetail } from '../../contracts/http.ts';
import {
  type Plan,
  type RemediationResult,
  workflowIds,
  workflowTypes,
} from '../../contracts/temporal.ts';
import { readAudit } from '../../platform/audit.ts';
import { noCrashPoints } from '../../platform/crash-point.ts';
import { signWebhook } from '../../platform/standard-webhooks.ts';
import { connectRedis } from '../../redis/connect.ts';
import { controlCache } from '../../redis/control-cache.ts';
import { writeInventory } from '../../redis/inventory.ts';
import { remediationStarter } from '../../workers/remediation-starter.ts';
import { aBody, anEntry, operate } from '../support/alertmanager-posts.ts';
import { allGranted, aRemediation, aReport } from '../support/builders.ts';
import { startCoreWorkers } from '../support/core-workers.ts';
import { eventually } from '../support/eventually.ts';
import { callbackSecret, startTestApi, temporalClient } from '../support/intake-product.ts';
import { aPolicyText, policySet } from '../support/policy-set.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { startTemporal, type TemporalServer } from '../support/temporal-server.ts';

describe('what operators and gateways ask of the api', () => {
  let redis: RedisServer;
  let temporal: TemporalServer;
  let client: ReturnType<typeof temporalClient>;
  let api: Awaited<ReturnType<typeof startTestApi>>;
  let workers: Awaited<ReturnType<typeof startCoreWorkers>>;
  let letPlan: (plan: Plan) => void;
  const published: ControlState[] = [];
  let cache: ReturnType<typeof connectRedis>;

  before(async () => {
    [redis, temporal] = await Promise.all([startRedis(), startTemporal()]);
    client = temporalClient(temporal.address);
    cache = connectRedis({ url: redis.url, profile: 'background', onError: () => {} });
    api = await startTestApi({
      redisUrl: redis.url,
      client: client.client,
      policies: await policySet(
        aPolicyText('web'),
        aPolicyText('rest', 'match: { source: alertmanager }'),
      ),
    });
    const planning = new Promise<Plan>((resolve) => {
      letPlan = resolve;
    });
    const activities: CoreActivities = {
      planTargets: () => planning,
      admitBatch: async ({ hosts }) => allGranted(hosts.length),
      probeHttp: async ({ hosts }) => ({ letters: 's'.repeat(hosts.length), failures: [] }),
      watchdogHeard: async () => null,
      recordOutcome: async () => {},
      sendEscalation: async () => {},
      recordEscalation: async () => {},
      publishControl: async (state) => {
        published.push(state);
        return controlCache(cache).write(state);
      },
    };
    // Temporal is killed below: what the SDK says of it is no news.
    Runtime.install({
      logger: new DefaultLogger('ERROR'),
      telemetryOptions: { logging: { filter: 'ERROR' } },
    });
    workers = await startCoreWorkers({ address: temporal.address, activities });
  });
  after(async () => {
    letPlan({ kind: 'held', reason: 'no_target', detail: 'the test is over' });
    await workers.stop();
    await api.stop();
    await client.stop();
    cache.disconnect();
    await redis.stop();
    await temporal.stop();
  });

  const callback = (reference: string, secret = callbackSecret): Promise<Response> => {
    const task = { targets: [{ agentId: 'a'.repeat(12) }] } as Parameters<typeof aReport>[1]; // Only targets are read.
    const report = aReport('remediation:x/restart/1/1', task, 's');
    const body = JSON.stringify({ type: 'task.finished', reference, report });
    const timestamp = Math.floor(Date.now() / 1_000);
    return fetch(`${api.url}/v1/callbacks/tasks`, {
      method: 'POST',
      headers: { ...signWebhook({ secret, id: 'msg_1', timestamp, body }) },
      body,
    });
  };
  const put = async (path: string, body: object) => {
    const answer = await operate(api.url, path, { method: 'PUT', body });
    return (await answer.json()) as ControlState;
  };
  const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code;

  it('nobody gets in without the operator token', async () => {
    for (const path of ['/v1/alerts', '/v1/policies', '/v1/remediations', '/v1/control']) {
      const response = await operate(api.url, path, { token: 'webhook-secret-of-tests' });
      assert.equal(response.status, 401, path);
    }
    assert.equal((await operate(api.url, '/v1/nothing')).status, 404);
  });

  it('stop and allow hold in the workflow and in the audit log', async () => {
    const empty = (await (await operate(api.url, '/v1/control')).json()) as ControlState;
    const put = (stopped: boolean, reason: string) =>
      operate(api.url, '/v1/control', {
        method: 'PUT',
        body: { stopped, reason, operator_name: 'ada' },
      });

    const stopped = await put(true, 'rack c burns');
    const shown = (await (await operate(api.url, '/v1/control')).json()) as ControlState;
    const again = (await (await put(false, 'it rained')).json()) as ControlState;

    assert.equal(empty.stopped, true, 'missing control state means stopped');
    assert.equal(stopped.status, 200);
    assert.deepEqual([shown.stopped, shown.reason], [true, 'rack c burns']);
    assert.equal(again.stopped, false);
    assert.ok(again.revision > shown.revision, `${again.revision} after ${shown.revision}`);
    assert.equal(published.at(-1)?.stopped, false);
    const records = await readAudit(`${api.stateDir}/audit`);
    assert.deepEqual(
      records.map(({ kind, actor, detail }) => [kind, actor, detail['claimedBy']]),
      [
        ['control.stop', 'operator', 'ada'],
        ['control.allow', 'operator', 'ada'],
      ],
    );
  });

  it('an agent is locked and unlocked in the workflow and in the audit log', async () => {
    const path = '/v1/control/agents/0123456789ab';
    const put = async (locked: boolean) =>
      operate(api.url, path, {
        method: 'PUT',
        body: { locked, reason: 'a copied disk', operator_name: 'ada' },
      });

    const locked = (await (await put(true)).json()) as ControlState;
    const unlocked = (await (await put(false)).json()) as ControlState;
    const silly = await operate(api.url, '/v1/control/agents/web1', {
      method: 'PUT',
      body: { locked: true },
    });

    const [lock] = locked.locked ?? [];
    assert.deepEqual(
      [lock?.agentId, lock?.reason, lock?.by],
      ['0123456789ab', 'a copied disk', 'ada'],
    );
    assert.deepEqual(unlocked.locked, []);
    assert.ok(unlocked.revision > locked.revision);
    assert.equal(silly.status, 400);
    const records = await readAudit(`${api.stateDir}/audit`);
    assert.deepEqual(
      records.slice(-2).map(({ kind, object }) => [kind, object]),
      [
        ['agent.lock', '0123456789ab'],
        ['agent.unlock', '0123456789ab'],
      ],
    );
  });

  it('a breaker is opened and closed in the workflow and in the audit log, for a policy there is', async () => {
    const put = (policy: string, body: object) =>
      operate(api.url, `/v1/control/breakers/${policy}`, { method: 'PUT', body });
    const by = { reason: 'it makes things worse', operator_name: 'ada' };

    const opened = (await (
      await put('web', { ...by, open: true, openForMs: 60_000 })
    ).json()) as ControlState;
    const closed = (await (await put('web', { ...by, open: false })).json()) as ControlState;
    const unknown = await put('wbe', { ...by, open: true });
    const mute = await put('web', { open: true, reason: ' ' });

    const [breaker] = opened.breakers ?? [];
    assert.deepEqual(
      [breaker?.policy, breaker?.reason, breaker?.by],
      ['web', 'it makes things worse', 'ada'],
    );
    assert.equal((breaker?.untilMs ?? 0) - (breaker?.at ?? 0), 60_000);
    assert.deepEqual(closed.breakers, []);
    assert.equal(unknown.status, 404);
    assert.match(await unknown.text(), /there is no policy wbe.*policies here: web, rest/);
    assert.equal(mute.status, 400);
    const records = await readAudit(`${api.stateDir}/audit`);
    assert.deepEqual(
      records
        .slice(-2)
        .map(({ kind, object, detail }) => [
          ...[kind, object, detail['reason'], detail['claimedBy'], detail['outcome']],
        ]),
      [
        ['breaker.open', 'web', 'it makes things worse', 'ada', 'done'],
        ['breaker.close', 'web', 'it makes things worse', 'ada', 'done'],
      ],
    );
  });

  it('a lock releases no stop, and a stop no lock, where Temporal has lost the switch', async () => {
    const put = async (path: string, body: object) => {
      const answer = await operate(api.url, path, { method: 'PUT', body });
      return (await answer.json()) as ControlState;
    };
    const lose = () => client.client.workflow.getHandle(workflowIds.control).terminate('lost');
    const lock = { locked: true, reason: 'a copied disk' };
    await put('/v1/control', { stopped: true, reason: 'storm' });
    await lose();

    const locked = await put('/v1/control/agents/0123456789ab', lock);
    await lose();
    const stopped = await put('/v1/control', { stopped: true, reason: 'again' });

    assert.equal(locked.stopped, true);
    assert.deepEqual(
      [stopped.stopped, stopped.locked?.map(({ agentId }) => agentId)],
      [true, ['0123456789ab']],
    );
    await put('/v1/control', { stopped: false, reason: 'over' });
    await put('/v1/control/agents/0123456789ab', { locked: false, reason: 'over' });
  });

  it('a request that comes again with its key joins the first, and undoes nothing that came between', async () => {
    const put = async (path: string, body: object, key: string) => {
      const headers = { 'idempotency-key': key };
      const answer = await operate(api.url, path, { method: 'PUT', body, headers });
      return [answer.status, (await answer.json()) as ControlState] as const;
    };
    const updates = async () => {
      const { events } = await client.client.workflow.getHandle('control:fixpoint').fetchHistory();
      return events?.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes).length;
    };
    const lock = { locked: true, reason: 'cloned' };
    const path = '/v1/control/agents/ba9876543210';
    const before = (await updates()) ?? 0;

    const [status, stopped] = await put('/v1/control', { stopped: true }, 'stop-of-a-test');
    await put(path, lock, 'lock-of-a-test');
    await put(path, { locked: false }, 'unlock-of-a-test');
    await put('/v1/control', { stopped: false, reason: 'over' }, 'allow-of-a-test');
    const again = await put('/v1/control', { stopped: true }, 'stop-of-a-test');
    await put(path, lock, 'lock-of-a-test');

    assert.deepEqual([status, stopped.stopped], [200, true]);
    assert.deepEqual([again[0], again[1].stopped], [200, false], 'what gateways read by now');
    assert.equal(await updates(), before + 4);
    const shown = (await (await operate(api.url, '/v1/control')).json()) as ControlState;
    assert.deepEqual([shown.stopped, shown.locked], [false, []]);
    const other = await put('/v1/control', { stopped: true, reason: 'fire' }, 'stop-of-a-test');
    assert.deepEqual([other[1].stopped, other[1].reason], [true, 'fire'], 'never left undone');
    await put('/v1/control', { stopped: false, reason: 'over' }, 'allow-at-the-end');
    const records = await readAudit(`${api.stateDir}/audit`);
    const stops = records.filter(({ detail }) => detail['request'] === 'stop-of-a-test');
    assert.deepEqual(
      stops.map(({ kind }) => kind),
      ['control.stop', 'control.stop', 'control.stop'],
    );
    const silly = await operate(api.url, '/v1/control', {
      ...{ method: 'PUT', body: { stopped: true }, headers: { 'idempotency-key': 'short' } },
    });
    assert.deepEqual([silly.status, await codeOf(silly)], [400, 'invalid_payload']);
  });

  it('alerts are tried: which hosts, batches and guards there would be, and nothing is begun', async () => {
    // A quarter of them may be held at once.
    const agents = Array.from({ length: 8 }, (_, at) => ({
      agentId: `${at}`.padStart(12, '0'),
      journalId: `${at}`.padStart(26, '0'),
      labels: new Map(Object.entries({ name: `agent-${at}`, hostname: `web${at + 1}`, zone: 'a' })),
    }));
    await writeInventory(cache, { version: 'of-a-test', agents });
    const labels = (instance: string) => ({ alertname: 'Down', service: 'web', instance });
    const entries = [
      anEntry({ labels: labels('web1'), fingerprint: 'f1' }),
      anEntry({ labels: labels('web3'), fingerprint: 'f3' }),
    ];
    const before = client.client.workflow.list({ query: 'ExecutionStatus = "Running"' });
    const running: string[] = [];
    for await (const { workflowId } of before) running.push(workflowId);
    const ask = (body: object) => operate(api.url, '/v1/policies/test', { method: 'POST', body });

    const answer = policyTestAnswer.parse(await (await ask({ body: aBody(entries) })).json());
    const refused = await ask({ body: aBody([anEntry({ labels: {} })]) });
    await put('/v1/control', { stopped: true, reason: 'worse', policy: 'web' });
    const stopped = policyTestAnswer.parse(await (await ask({ body: aBody(entries) })).json());
    await put('/v1/control', { stopped: false, reason: 'over', policy: 'web' });
    const breaker = (open: boolean) => put('/v1/control/breakers/web', { open, reason: 'worse' });
    await breaker(true);
    const opened = policyTestAnswer.parse(await (await ask({ body: aBody(entries) })).json());
    await breaker(false);

    const [plan] = answer.plans ?? [];
    assert.deepEqual(
      [plan?.policy, plan?.outcome, plan?.hosts, plan?.targets.map(({ name }) => name)],
      ['web', 'starts', 2, ['agent-0', 'agent-2']],
    );
    assert.equal(plan?.targets[0]?.because, 'instance="web1" is hostname web1');
    const guards = new Map(plan?.guards.map(({ guard, slack }) => [guard, slack]));
    assert.equal(guards.get('guards.blastRadius zone=a'), '2 of 2');
    assert.equal(guards.get('guards.massHosts'), '18 of 20');
    assert.deepEqual(
      answer.alerts?.map(({ verdicts }) => verdicts.map(({ verdict }) => verdict)),
      [
        ['taken', 'not_asked'],
        ['taken', 'not_asked'],
      ],
    );
    assert.equal(refused.status, 400);
    assert.equal(stopped.plans?.[0]?.outcome, 'waits');
    assert.match(stopped.plans?.[0]?.reason ?? '', /control stop/);
    assert.deepEqual(
      [opened.plans?.[0]?.outcome, opened.plans?.[0]?.reason],
      ['waits', 'guards.breaker'],
    );
    const after: string[] = [];
    for await (const { workflowId } of client.client.workflow.list({
      query: 'ExecutionStatus = "Running"',
    })) {
      after.push(workflowId);
    }
    assert.deepEqual(after, running);
  });

  it('a policy that is not there stops nothing, and one that is stands until it is allowed', async () => {
    const typo = await operate(api.url, '/v1/control', {
      ...{ method: 'PUT', body: { stopped: true, reason: 'worse', policy: 'wev' } },
    });
    const mute = await operate(api.url, '/v1/control', {
      ...{ method: 'PUT', body: { stopped: true, policy: 'web' } },
    });
    const stopped = await put('/v1/control', { stopped: true, reason: 'worse', policy: 'web' });
    const allowed = await put('/v1/control', { stopped: false, reason: 'over', policy: 'web' });
    const again = await put('/v1/control', { stopped: false, reason: 'over', policy: 'web' });

    assert.equal(typo.status, 404);
    assert.match(((await typo.json()) as { hint: string }).hint, /did you mean web/);
    assert.equal(mute.status, 400);
    assert.deepEqual(
      stopped.stops?.map(({ scope, reason }) => [scope, reason]),
      [[{ policy: 'web' }, 'worse']],
    );
    assert.deepEqual([allowed.stops, again.stops], [[], []]);
    assert.equal(allowed.stopped, stopped.stopped, 'the switch for everything is another one');
  });

  it('a repair is listed, shown, cancelled, and then gone', async () => {
    const input = aRemediation();
    const id = input.remediationId;
    await remediationStarter({ client: client.client, crashPoints: noCrashPoints }).start(input);
    const path = `/v1/remediations/${encodeURIComponent(id)}`;
    await eventually(async () => {
      const { items } = (await (await operate(api.url, '/v1/remediations')).json()) as {
        items: { id: string; state: string }[];
      };
      assert.deepEqual([items[0]?.id, items[0]?.state], [id, 'planning']);
    });
    const shown = remediationDetail.parse(await (await operate(api.url, path)).json());
    assert.equal(shown.progress.state, 'planning');

    const cancel = () =>
      operate(api.url, `${path}/cancel`, { method: 'POST', body: { reason: 'wrong rack' } });
    const cancelled = await cancel();
    letPlan({ kind: 'held', reason: 'no_target', detail: 'none' });
    const result = (await client.client.workflow.getHandle(id).result()) as RemediationResult;
    const late = await cancel();

    assert.equal(cancelled.status, 202);
    assert.equal(result.remediationId, id);
    assert.deepEqual([late.status, await codeOf(late)], [410, 'gone']);
    const ended = remediationDetail.parse(await (await operate(api.url, path)).json());
    assert.equal(ended.progress.state, result.state);
    assert.equal((await callback(id)).status, 410, 'a closed run takes no callback');
    const unknown = await operate(api.url, '/v1/remediations/remediation%3Ano%3Asuch', {});
    assert.deepEqual([unknown.status, await codeOf(unknown)], [404, 'not_found']);
    const hostile = await operate(api.url, '/v1/remediations?policy=x%22%20OR%20%22');
    assert.equal(hostile.status, 400);
    const records = await readAudit(`${api.stateDir}/audit`);
    assert.deepEqual(
      records.slice(-2).map(({ kind, detail }) => [kind, detail['outcome']]),
      [
        ['remediation.cancel', 'done'],
        ['remediation.cancel', 'gone'],
      ],
    );
  });

  it('a callback is answered 204 once its run has it; unsigned or for nobody, it is not', async () => {
    const workflowId = 'remediation:callback:test:1-1';
    await client.client.workflow.start(workflowTypes.remediation, {
      workflowId,
      taskQueue: 'a-queue-without-workers',
      args: [aRemediation()],
    });

    const stored = await callback(workflowId);
    const forged = await callback(workflowId, `whsec_${btoa('another-key')}`);
    const nobody = await callback('remediation:nobody');
    const foreign = await callback('mailbox:web:all');

    assert.equal(stored.status, 204);
    assert.deepEqual([forged.status, await codeOf(forged)], [401, 'unauthenticated']);
    assert.deepEqual([nobody.status, await codeOf(nobody)], [410, 'gone']);
    assert.deepEqual([foreign.status, await codeOf(foreign)], [410, 'gone']);
    const { events } = await client.client.workflow.getHandle(workflowId).fetchHistory();
    const signals = events?.filter((event) => event.workflowExecutionSignaledEventAttributes);
    assert.equal(signals?.length, 1);
  });

  it('says which policy takes an alert and why the others do not', async () => {
    const test = async (labels: Record<string, string>) => {
      const response = await operate(api.url, '/v1/policies/test', {
        method: 'POST',
        body: { labels },
      });
      const { items } = (await response.json()) as {
        items: { policy: string; verdict: string; matcher: string | null }[];
      };
      return items.map(({ policy, verdict, matcher }) => [policy, verdict, matcher]);
    };

    assert.deepEqual(await test({ service: 'web' }), [
      ['web', 'taken', null],
      ['rest', 'not_asked', null],
    ]);
    assert.deepEqual(await test({ service: 'db' }), [
      ['web', 'matcher', 'service="web"'],
      ['rest', 'taken', null],
    ]);
  });

  it('with Temporal gone operators and gateways are told to try again', async () => {
    await temporal.kill();
    try {
      const told = await Promise.all([
        callback('remediation:callback:test:1-1'),
        operate(api.url, '/v1/remediations'),
      ]);
      for (const response of told) {
        assert.deepEqual([response.status, await codeOf(response)], [503, 'upstream_unavailable']);
      }
    } finally {
      await temporal.restart();
    }
  });
});
