import assert from 'node:assert/strict';
import type { z } from 'zod';
import { controlState, jobsPage, quarantinedPage } from '../../cli/answers.ts';
import {
  deliveryView,
  pageOf,
  policyTestAnswer,
  problem,
  readiness,
  remediationDetail,
  remediationRow,
} from '../../contracts/http.ts';
import { agentView, taskReport } from '../../contracts/task.ts';

/** Servers that have healed the demo service of agent-2, and their words for it. */
export type HealedServers = {
  readonly api: string;
  readonly gateway: string;
  readonly token: string;
  readonly remediationId: string;
  readonly taskId: string;
};

/**
 * What the command line takes for granted of the api and the gateway. The same assertions hold for
 * the real servers and for the fake in their place, or tests with the fake would prove nothing.
 */
export async function assertApiContract(servers: HealedServers): Promise<void> {
  await assertRepairs(servers);
  await assertAlerts(servers);
  await assertTasks(servers);
  for (const url of [servers.api, servers.gateway]) {
    const { ready } = await answerOf(servers, { url, path: '/readyz?verbose' }, readiness);
    assert.equal(ready, true);
  }
}

async function assertRepairs(servers: HealedServers): Promise<void> {
  const { api: url, remediationId } = servers;
  const path = `/v1/remediations/${encodeURIComponent(remediationId)}`;
  const listing = { url, path: '/v1/remediations?limit=500' };
  const { items } = await answerOf(servers, listing, pageOf(remediationRow));
  assert.ok(items.some(({ id, state }) => id === remediationId && state === 'verified'));
  const { id, progress } = await answerOf(servers, { url, path }, remediationDetail);
  assert.deepEqual([id, progress.remediationId, progress.state], [id, id, 'verified']);
  const again = { url, path: `${path}/cancel`, method: 'POST', body: { reason: '' } };
  await refused(servers, again, { status: 410, code: 'gone' });
  const unknown = { url, path: '/v1/remediations/remediation%3Anever%3Awas' };
  await refused(servers, unknown, { status: 404, code: 'not_found' });
}

async function assertAlerts(servers: HealedServers): Promise<void> {
  const { api: url } = servers;
  const listing = { url, path: '/v1/alerts?limit=500' };
  const { items } = await answerOf(servers, listing, pageOf(deliveryView));
  const healed = items.find(({ name }) => name === 'DemoServiceDown');
  assert.ok(healed);
  const path = `/v1/alerts/${healed.deliveryId}`;
  const { outcomes } = await answerOf(servers, { url, path }, deliveryView);
  assert.deepEqual(outcomes, healed.outcomes);
  const unknown = { url, path: `/v1/alerts/${'x'.repeat(26)}` };
  await refused(servers, unknown, { status: 404, code: 'not_found' });
  const quarantined = { url, path: '/v1/alerts?limit=5&quarantined=true' };
  await answerOf(servers, quarantined, quarantinedPage);
  await answerOf(servers, { url, path: '/v1/control' }, controlState);
  const labels = { alertname: 'DemoServiceDown', instance: 'agent-2:1', service: 'demo' };
  const test = { url, path: '/v1/policies/test', method: 'POST', body: { labels } };
  const { items: verdicts } = await answerOf(servers, test, policyTestAnswer);
  assert.ok(verdicts.some((of) => of.policy === 'demo-service' && of.verdict === 'taken'));
}

async function assertTasks(servers: HealedServers): Promise<void> {
  const { gateway: url, taskId } = servers;
  const agents = { url, path: '/v1/agents?limit=1000' };
  const { items } = await answerOf(servers, agents, pageOf(agentView));
  const one = await answerOf(servers, { url, path: '/v1/agents/agent-2' }, agentView);
  assert.ok(items.some(({ id }) => id === one.id));
  const nobody = { url, path: '/v1/agents/nobody' };
  await refused(servers, nobody, { status: 404, code: 'not_found' });
  const path = `/v1/tasks/${taskId}`;
  const report = await answerOf(servers, { url, path }, taskReport);
  assert.deepEqual([report.taskId, report.state, report.letters], [taskId, 'finished', 's']);
  const cancel = { url, path: `${path}/cancel`, method: 'POST', body: { reason: 'operator' } };
  assert.deepEqual(await answerOf(servers, cancel, taskReport), report, 'it had ended');
  const jobs = await answerOf(servers, { url, path: `${path}/jobs` }, jobsPage);
  assert.deepEqual(
    jobs.items.map((job) => [job.agentId, job.report.state]),
    [[one.id, 'succeeded']],
  );
  await assertOutput(servers, `${path}/jobs/agent-2/output`);
  const unknown = { url, path: `/v1/tasks/t${'a'.repeat(25)}` };
  await refused(servers, unknown, { status: 404, code: 'not_found' });
}

/** Bytes by offset, and none at the end. */
async function assertOutput(servers: HealedServers, path: string): Promise<void> {
  const accept = 'application/octet-stream';
  const read = async (offset: number) => {
    const query = `?stream=stdout&offset=${offset}&limit=1000`;
    const response = await ask(servers, { url: servers.gateway, path: path + query, accept });
    assert.equal(response.headers.get('content-type'), accept);
    return Buffer.from(await response.arrayBuffer());
  };
  const whole = await read(0);
  assert.match(whole.toString(), /^the demo service was started, pid \d+\n$/);
  assert.deepEqual(await read(4), whole.subarray(4));
  assert.equal((await read(whole.length)).length, 0);
}

type Call = {
  readonly url: string;
  readonly path: string;
  readonly method?: string;
  readonly body?: unknown;
  readonly accept?: string;
};

const ask = ({ token }: HealedServers, call: Call): Promise<Response> =>
  fetch(`${call.url}${call.path}`, {
    method: call.method ?? 'GET',
    headers: {
      accept: call.accept ?? 'application/json',
      authorization: `Bearer ${token}`,
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
  });

async function answerOf<T>(servers: HealedServers, call: Call, schema: z.ZodType<T>): Promise<T> {
  const response = await ask(servers, call);
  assert.equal(response.status, 200, call.path);
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
  return schema.parse(await response.json());
}

async function refused(
  servers: HealedServers,
  call: Call,
  expected: { readonly status: number; readonly code: string },
): Promise<void> {
  const response = await ask(servers, call);
  const { code } = problem.parse(await response.json());
  assert.deepEqual({ status: response.status, code }, expected, call.path);
  assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/);
}
