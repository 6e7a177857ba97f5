import type { RemediationDetail } from '../contracts/http.ts';
import { type AgentView, taskReport } from '../contracts/task.ts';
import { FixpointError } from '../domain/errors.ts';
import { taskIdOf } from '../domain/ids.ts';
import { sha256 } from '../platform/digest.ts';
import { agentsById } from './agent-views.ts';
import type { Progress } from './answers.ts';
import { exitOf, isEnded } from './outcome.ts';
import { fieldsOf, type OutputFormat } from './output.ts';
import { pictureOf } from './picture.ts';
import { plainJson, plainLine } from './plain-text.ts';
import { reasonText } from './reason-text.ts';
import { type CliDeps, type Servers, selfOf } from './session.ts';

/** Hosts whose failure is explained one by one. */
const explainedMax = 20;

type Failure = {
  readonly taskId: string;
  readonly step: string;
  readonly agentId: string;
  readonly state: string;
  readonly reason: string | null;
  readonly exitCode: number | null;
};

/** What happened on every host, why where it went wrong, and the next command to type. */
export async function showRemediation(of: {
  readonly deps: CliDeps;
  readonly servers: Servers;
  readonly detail: RemediationDetail;
  readonly format: OutputFormat;
}): Promise<void> {
  const { deps, servers, detail } = of;
  const { progress } = detail;
  const { terminal } = deps;
  if (isEnded(progress.state)) deps.setExit(exitOf(progress));
  const link = temporalLink(servers.connection.temporalUi, detail);
  if (of.format === 'json') return terminal.out(`${plainJson({ ...detail, temporalUi: link })}\n`);
  terminal.out(`${pictureOf(terminal, progress).join('\n')}\n`);
  terminal.out(
    fieldsOf([
      ['  from', detail.startedAt],
      ['  to', detail.endedAt],
      ['  history', link],
    ]),
  );
  const failures = await failuresOf(servers, progress);
  const explained = failures.slice(0, explainedMax);
  const agents = await agentsOf(servers, explained);
  for (const failure of explained) explain(deps, { progress, failure, agents });
  const left = progress.hostsFailed - explained.length;
  if (explained.length > 0 && left > 0) terminal.out(`and ${left} more that did not succeed\n`);
  terminal.out(`next: ${selfOf(deps)} ${nextCommand(progress, failures)}\n`);
}

/** The page of this repair in Temporal UI; ids hold `:` and `~`, which a path must not. */
export function temporalLink(
  ui: string | null,
  of: { readonly id: string; readonly runId: string },
): string | null {
  if (ui === null) return null;
  const run = of.runId === '' ? '' : `/${encodeURIComponent(of.runId)}/history`;
  return `${ui}/namespaces/default/workflows/${encodeURIComponent(of.id)}${run}`;
}

/**
 * Why hosts did not succeed, by the latest attempt of each batch. The gateway forgets tasks after a
 * week, and may be down: then the letters alone must do.
 */
async function failuresOf(servers: Servers, progress: Progress): Promise<Failure[]> {
  const failures: Failure[] = [];
  for (const step of progress.steps) {
    const attempts = step.batches.filter(({ probe }) => probe === undefined);
    const latest = new Map(attempts.map((batch) => [batch.batch, batch]));
    for (const { taskKey } of latest.values()) {
      const taskId = taskIdOf(taskKey, sha256);
      const report = await servers.gateway.get(`/v1/tasks/${taskId}`, taskReport).catch(lost);
      for (const failure of report?.failures ?? []) {
        failures.push({ taskId, step: step.name, ...failure });
      }
    }
  }
  return failures;
}

function lost(error: unknown): null {
  const code = error instanceof FixpointError ? error.code : 'internal';
  if (code === 'not_found' || code === 'upstream_unavailable') return null;
  throw error;
}

/** How the agents are now whose reasons are about themselves. */
async function agentsOf(
  { gateway }: Servers,
  failures: readonly Failure[],
): Promise<ReadonlyMap<string, AgentView>> {
  const away = failures.filter(({ reason }) => reason === 'offline' || reason === 'locked');
  if (away.length === 0) return new Map();
  const ids = away.map(({ agentId }) => agentId);
  return (await agentsById(gateway, ids).catch(lost)) ?? new Map();
}

function explain(
  deps: CliDeps,
  of: {
    readonly progress: Progress;
    readonly failure: Failure;
    readonly agents: ReadonlyMap<string, AgentView>;
  },
): void {
  const { progress, failure, agents } = of;
  const { agentId, step, state, reason, exitCode, taskId } = failure;
  const name = progress.targets.find((target) => target.agentId === agentId)?.name ?? agentId;
  const exit = exitCode === null ? '' : ` (exit status ${exitCode})`;
  const agent = agents.get(agentId);
  const why = reason === null ? '' : `: ${reasonText(reason, { agent, now: deps.clock.now() })}`;
  deps.terminal.out(
    `${plainLine(`${name}, step ${step}: ${state}${exit}${why}`)}\n` +
      `  ${selfOf(deps)} task output ${taskId} ${plainLine(name)} --stderr\n`,
  );
}

function nextCommand(progress: Progress, failures: readonly Failure[]): string {
  const id = `'${plainLine(progress.remediationId)}'`;
  if (progress.state === 'awaiting_approval') return `remediation approve ${id}`;
  if (!isEnded(progress.state)) return `remediation tail ${id}`;
  const [first] = failures;
  if (first !== undefined) return `task show ${first.taskId}`;
  if (progress.state !== 'held') return 'audit tail';
  return nextWhenHeld[progress.reason?.split(':')[0] ?? ''] ?? 'audit tail';
}

/** By the reason that the words of it begin with. */
const nextWhenHeld: Readonly<Record<string, string>> = {
  no_target: 'agent ls   (does the label name one agent?)',
  ambiguous_target: 'agent ls   (does the label name one agent?)',
  missing_label:
    'alert ls   (does the alert have that label? a run by hand takes --label name=value)',
  ambiguous_label: 'agent ls   (does the label name one agent?)',
  busy: 'remediation ls   (who holds the hosts?)',
  cap_reached: 'remediation ls   (who holds the hosts?)',
  floor: 'agent ls   (which hosts are away?)',
  stopped: 'control show',
  breaker: 'control breaker ls',
};
