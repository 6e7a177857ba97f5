import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { atMost, type Bar } from './bars.ts';
import { rounded } from './figures.ts';
import type { BenchDeps } from './fleet-rig.ts';
import { rigTask } from './fleet-task.ts';
import { startHostAgents } from './host-agents.ts';

/** Resident MiB, and CPU milliseconds a second while nothing is asked of it but its pings. */
export type IdleAgentResult = {
  readonly seconds: number;
  readonly jobs: number;
  readonly residentMib: number;
  /** Of it, what no other process shares: the rest are pages of Node's own program. */
  readonly ownMib: number;
  readonly cpuMsPerSecond: number;
  /** The same of a Node that does nothing. */
  readonly bareResidentMib: number;
  readonly bareOwnMib: number;
  readonly bareCpuMsPerSecond: number;
  readonly ratio: number;
  readonly bars: readonly Bar[];
};

const jobs = 20;
const settleMs = 3_000;

/** One real agent, after some jobs, idle for `seconds`, beside a Node that does nothing. */
export async function measureIdleAgent(
  deps: BenchDeps,
  of: { readonly seconds: number },
): Promise<IdleAgentResult> {
  const { clock, say } = deps;
  const { rig, agents } = await startHostAgents(deps, 1);
  const [agent] = agents;
  const [gateway] = rig.gateways;
  if (agent === undefined || gateway === undefined) throw new Error('there is no agent');
  const bare = spawn(process.execPath, ['-e', 'setInterval(() => {}, 4_000)'], { stdio: 'ignore' });
  deps.onPart(async () => {
    const gone = once(bare, 'exit');
    bare.kill('SIGKILL');
    await gone;
  });
  for (let job = 0; job < jobs; job += 1) {
    const task = rigTask(rig, `bench/agent/${job}`, rig.targets);
    const end = rig.callbacks.endOf(task.taskId, 30_000);
    await gateway.submit(task.key, await task.body());
    await end;
  }
  await clock.sleep(settleMs);
  say(`an agent that ran ${jobs} jobs is idle for ${of.seconds} s`);
  const pids = [agent.pid, bare.pid ?? 0];
  const before = pids.map(cpuMsOf);
  const from = clock.monotonic();
  await clock.sleep(of.seconds * 1_000);
  const seconds = (clock.monotonic() - from) / 1_000;
  const [cpu = Number.NaN, bareCpu = Number.NaN] = pids.map((pid, index) =>
    rounded((cpuMsOf(pid) - (before[index] ?? 0)) / seconds),
  );
  const mibOf = (field: string) => pids.map((pid) => statusMibOf(pid, field));
  const [resident = Number.NaN, bareResident = Number.NaN] = mibOf('VmRSS');
  const [own = Number.NaN, bareOwn = Number.NaN] = mibOf('RssAnon');
  return {
    ...{ seconds: of.seconds, jobs, residentMib: resident, ownMib: own, cpuMsPerSecond: cpu },
    ...{ bareResidentMib: bareResident, bareOwnMib: bareOwn, bareCpuMsPerSecond: bareCpu },
    ratio: rounded(resident / bareResident),
    bars: [atMost('resident, MiB', 64, resident), atMost('CPU while idle, ms a second', 1, cpu)],
  };
}

function statusMibOf(pid: number, field: string): number {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').split('\n');
  const kb = lines.find((line) => line.startsWith(`${field}:`))?.match(/\d+/)?.[0];
  return rounded(Number(kb) / 1_024);
}

/** All threads, to the nanosecond: `/proc/<pid>/stat` counts in steps of 10 ms. */
function cpuMsOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) => {
    const [onCpu] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return Number(onCpu);
  });
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6;
}
