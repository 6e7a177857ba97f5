import { Command } from 'commander';
import type { z } from 'zod';
import { type AgentView, type JobRow, taskReport } from '../../contracts/task.ts';
import { FixpointError } from '../../domain/errors.ts';
import { taskIdOf } from '../../domain/ids.ts';
import { isFinal } from '../../domain/job.ts';
import { sha256 } from '../../platform/digest.ts';
import { agentsById, idOfAgent } from '../agent-views.ts';
import { jobsPage } from '../answers.ts';
import type { Client } from '../client.ts';
import { fieldsOf, type OutputFormat, tableOf } from '../output.ts';
import { plainJson, plainLine } from '../plain-text.ts';
import { reasonText } from '../reason-text.ts';
import { type CliDeps, examples, outputOption, selfOf, serversOf } from '../session.ts';
import { printOutput } from '../task-output.ts';

/** Lines of reasons, and hosts named in one, before the rest is only counted. */
const linesMax = 20;
const namesMax = 3;

/** `fixpoint task …`: what the gateway knows of one attempt at one batch. */
export function taskCommand(deps: CliDeps): Command {
  const task = new Command('task').description('one attempt at one batch, as the gateway knows it');
  const what = 'a task id, or an idempotency key as `remediation show` prints it';
  task
    .command('show')
    .description('show a task and the job of every host')
    .argument('<task>', what)
    .addOption(outputOption())
    .addHelpText('after', examples('fixpoint task show tabcdefghijklmnopqrstuvwxy'))
    .action((given: string, options, command: Command) =>
      show({ deps, gateway: serversOf(deps, command).gateway, given, format: options.output }),
    );
  task
    .command('output')
    .description('print what a job wrote; bytes as they are unless a terminal reads them')
    .argument('<task>', what)
    .argument('[agent]', 'name or id; needed where the task has several hosts')
    .option('--stderr', 'the error output instead')
    .option('--follow', 'go on until the job has ended')
    .addHelpText(
      'after',
      examples('fixpoint task output tabcdefghijklmnopqrstuvwxy agent-2 --stderr'),
    )
    .action((given: string, agent: string | undefined, options, command: Command) =>
      output(deps, serversOf(deps, command).gateway, {
        ...{ given, agent, follow: options.follow === true },
        stream: options.stderr ? 'stderr' : 'stdout',
      }),
    );
  task
    .command('cancel')
    .description('end what still runs of a task; a remediation would rather be cancelled itself')
    .argument('<task>', what)
    .addOption(outputOption())
    .action(async (given: string, options, command: Command) => {
      const id = taskOf(given);
      const report = await serversOf(deps, command).gateway.send(
        { method: 'POST', path: `/v1/tasks/${id}/cancel`, body: { reason: 'operator' } },
        taskReport,
      );
      if (options.output === 'json') {
        return deps.terminal.out(`${plainJson({ id, ...report })}\n`);
      }
      deps.terminal.err(`asked; see how it ends: ${selfOf(deps)} task show ${id}\n`);
    });
  return task;
}

/** Ids are derived (design 5.5), so a key is as good as an id. */
export const taskOf = (given: string): string =>
  /^t[a-z2-7]{25}$/.test(given) ? given : taskIdOf(given, sha256);

async function jobsOf(gateway: Client, id: string): Promise<JobRow[]> {
  const jobs: JobRow[] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? '' : `?cursor=${encodeURIComponent(cursor)}`;
    const page: z.infer<typeof jobsPage> = await gateway.get(
      `/v1/tasks/${id}/jobs${query}`,
      jobsPage,
    );
    jobs.push(...page.items);
    cursor = page.next ?? null;
  } while (cursor !== null);
  return jobs;
}

async function show(of: {
  readonly deps: CliDeps;
  readonly gateway: Client;
  readonly given: string;
  readonly format: OutputFormat;
}): Promise<void> {
  const id = taskOf(of.given);
  const report = await of.gateway.get(`/v1/tasks/${id}`, taskReport);
  const jobs = await jobsOf(of.gateway, id);
  const { terminal } = of.deps;
  if (of.format === 'json') {
    const rows = jobs.map((job) => ({ id: job.jobId, state: job.report.state, ...job }));
    return terminal.out(`${plainJson({ id, ...report, jobs: rows })}\n`);
  }
  const agents = await agentsById(
    of.gateway,
    jobs.map(({ agentId }) => agentId),
  );
  terminal.out(
    fieldsOf([
      ['task', id],
      ['key', report.key],
      ['state', report.state],
      ['letters', report.letters],
    ]),
  );
  terminal.out(
    tableOf(
      ['AGENT', 'STATE', 'REASON', 'EXIT', 'STDOUT', 'STDERR', 'NOTE'],
      jobs.map(({ agentId, report: job }) => [
        agents.get(agentId)?.name ?? agentId,
        job.state,
        job.reason ?? '',
        job.exitCode === null ? (job.signal ?? '') : String(job.exitCode),
        `${job.stdoutBytes} B`,
        `${job.stderrBytes} B`,
        job.note ?? '',
      ]),
    ),
  );
  for (const line of reasonLines(of.deps, jobs, agents)) terminal.out(`${plainLine(line)}\n`);
}

/** Why hosts did not succeed, one line a reason; hosts with the same reason share it. */
function reasonLines(
  deps: CliDeps,
  jobs: readonly JobRow[],
  agents: ReadonlyMap<string, AgentView>,
): string[] {
  const hosts = new Map<string, string[]>();
  for (const { agentId, report } of jobs) {
    const { state, reason } = report;
    if (!isFinal(state) || reason === null) continue;
    const agent = agents.get(agentId);
    const text = `${state}, ${reason}: ${reasonText(reason, { agent, now: deps.clock.now() })}`;
    hosts.set(text, [...(hosts.get(text) ?? []), agent?.name ?? agentId]);
  }
  const lines = [...hosts].slice(0, linesMax).map(([text, names]) => {
    const more = names.length > namesMax ? ` and ${names.length - namesMax} more` : '';
    return `${names.slice(0, namesMax).join(', ')}${more}: ${text}`;
  });
  const left = hosts.size - lines.length;
  return left === 0 ? lines : [...lines, `and ${left} more reasons; -o json has them all`];
}

async function output(
  deps: CliDeps,
  gateway: Client,
  of: {
    readonly given: string;
    readonly agent: string | undefined;
    readonly stream: 'stdout' | 'stderr';
    readonly follow: boolean;
  },
): Promise<void> {
  const taskId = taskOf(of.given);
  const agentId = await idOfAgent(gateway, of.agent ?? (await onlyAgentOf(gateway, taskId)));
  const { stream, follow } = of;
  await printOutput(deps, gateway, { taskId, agentId, stream, follow });
}

async function onlyAgentOf(gateway: Client, id: string): Promise<string> {
  const jobs = await jobsOf(gateway, id);
  const only = jobs[0];
  if (only !== undefined && jobs.length === 1) return only.agentId;
  throw new FixpointError('invalid_payload', `the task has ${jobs.length} hosts; name one`, {
    hint: `fixpoint task show ${id} lists them`,
  });
}
