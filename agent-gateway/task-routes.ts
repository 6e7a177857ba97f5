import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { limits } from '../contracts/limits.ts';
import { idempotencyKey, jobState, taskId } from '../contracts/task.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Tasks } from '../redis/tasks.ts';
import type { Inventory } from './inventory.ts';
import type { OutputReader } from './output-reader.ts';
import { forwardedHeader } from './peer-output.ts';
import { checked } from './problem.ts';
import { jobsPageOf } from './task-report.ts';
import type { TaskService } from './task-service.ts';

export type TaskRoutesDeps = {
  readonly service: TaskService;
  readonly tasks: Tasks;
  readonly inventory: Inventory;
  readonly output: OutputReader;
};

const taskParams = z.object({ id: taskId });
const outputParams = taskParams.extend({ agent: z.string().max(253) });
const whole = (max: number) => z.coerce.number().pipe(z.int().min(0).max(max));
/** `again`: the submitter knows that the task was here before, so its jobs may have been sent. */
const submitQuery = z.object({
  again: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
});
const listQuery = z.object({
  state: z.literal('open').default('open'),
  reference: z.string().max(1000).optional(),
});
const jobsQuery = z.object({
  state: jobState.optional(),
  cursor: whole(limits.targetsMax).default(0),
  limit: whole(limits.pageMax).default(limits.pageDefault),
});
const outputQuery = z.object({
  stream: z.enum(['stdout', 'stderr']).default('stdout'),
  offset: whole(limits.outputBytes).default(0),
  limit: whole(limits.outputReadBytes).default(limits.outputReadBytes),
  /** `skip`: go on behind what cannot be had now. */
  gap: z.enum(['refuse', 'skip']).default('refuse'),
});
const cancelBody = z.object({
  reason: z.enum(['operator', 'resolved', 'stop']).default('operator'),
});

/** What gateways ask one another. */
export const outputPath = '/v1/tasks/:id/jobs/:agent/output';

/** `/v1/tasks…` (design 5.8). */
export function taskRoutes(app: FastifyInstance, deps: TaskRoutesDeps): void {
  const { service } = deps;
  app.post('/v1/tasks', { bodyLimit: limits.taskBodyBytes }, async (request, reply) => {
    const key = checked(idempotencyKey, request.headers['idempotency-key'], 'Idempotency-Key');
    const { again } = checked(submitQuery, request.query);
    const { isNew, report } = await service.submit({ key, body: request.body, isAgain: again });
    return reply.code(isNew ? 201 : 200).send(report);
  });

  app.get('/v1/tasks', async (request) => {
    const { reference } = checked(listQuery, request.query);
    const tasks = await deps.tasks.open();
    const items = tasks
      .filter((task) => reference === undefined || task.reference === reference)
      .map((task) => ({ id: task.taskId, state: 'open', ...task }));
    return { items, next: null };
  });

  app.get('/v1/tasks/:id', (request) => service.report(checked(taskParams, request.params).id));

  app.post('/v1/tasks/:id/cancel', (request) => {
    const { reason } = checked(cancelBody, request.body ?? {});
    return service.cancel(checked(taskParams, request.params).id, reason);
  });

  app.get('/v1/tasks/:id/jobs', async (request) => {
    const { state, cursor, limit } = checked(jobsQuery, request.query);
    const task = await service.stored(checked(taskParams, request.params).id);
    return jobsPageOf(task, { state, from: cursor, count: Math.max(limit, 1) });
  });

  app.get(outputPath, async (request, reply) => {
    const { id, agent } = checked(outputParams, request.params);
    const { gap, ...range } = checked(outputQuery, request.query);
    const agentId = deps.inventory.find(agent)?.id ?? agent;
    const task = await service.stored(id);
    const job = task.jobs.find((row) => row.agentId === agentId);
    if (job === undefined) throw new FixpointError('not_found', `the task has no host ${agent}`);
    const isForwarded = request.headers[forwardedHeader] !== undefined;
    const asked = { taskId: id, agentId, ...range, skip: gap === 'skip', isForwarded };
    if (!wantsBytes(request)) return deps.output.text(asked, job.report);
    const { bytes, ...place } = await deps.output.bytes(asked, job.report);
    for (const [name, value] of Object.entries(place)) {
      reply.header(`fixpoint-output-${name}`, String(value));
    }
    return reply.header('content-type', 'application/octet-stream').send(bytes);
  });
}

const wantsBytes = (request: FastifyRequest): boolean =>
  (request.headers.accept ?? '').includes('application/octet-stream');
