import type { IdleAgentResult } from './idle-agent.ts';
import type { InterferenceResult } from './interference.ts';
import type { ReconnectResult } from './reconnect.ts';
import type { SoakResult } from './soak.ts';
import type { SpawnResult } from './spawn.ts';
import { textTable } from './text-table.ts';

/** The results as people read them. */

export const reconnectTable = (of: ReconnectResult): string =>
  [
    `${of.agents} agents on ${of.gateways} gateways, one killed in the middle of a task; milliseconds`,
    textTable(
      ['', ''],
      [
        ['agents that lost their link', of.lost],
        ['half of them back', of.half],
        ['99 % of them back', of.most],
        ['all of them back', of.all],
        ['the task told to have ended', of.told],
        ['as many bare links, opened without a kill', of.bareMs],
        ['event loop of the gateway that is left, longest delay', of.loopDelayMaxMs],
        ['results', JSON.stringify(of.letters)],
      ],
    ),
  ].join('\n\n');

export const interferenceTable = ({ alone, beside, big }: InterferenceResult): string =>
  [
    'milliseconds from due to told',
    textTable(
      ['', 'n', 'p50', 'p90', 'p99', 'max'],
      [
        ['one host, nothing else runs', alone.n, alone.p50, alone.p90, alone.p99, alone.max],
        ['one host, beside big tasks', beside.n, beside.p50, beside.p90, beside.p99, beside.max],
        ['the big tasks themselves', big.n, big.p50, big.p90, big.p99, big.max],
      ],
    ),
  ].join('\n\n');

export const spawnTable = (of: SpawnResult): string =>
  [
    `${of.options.processes} processes by ${of.options.agents} agents; milliseconds`,
    textTable(
      ['', ''],
      [
        ['as jobs, handed in → told', of.tookMs],
        ['/bin/true by posix_spawn, one after the other, in python3', of.floorMs],
        ['CPU of one, agents and what they started', of.cpuMs['agents'] ?? ''],
        ['CPU of one, gateway', of.cpuMs['gateway'] ?? ''],
        ['CPU of one, Redis', of.cpuMs['redis'] ?? ''],
      ],
    ),
  ].join('\n\n');

export const idleAgentTable = (of: IdleAgentResult): string =>
  [
    `after ${of.jobs} jobs, idle for ${of.seconds} s`,
    textTable(
      ['', 'resident MiB', 'its own MiB', 'CPU ms a second'],
      [
        ['agent', of.residentMib, of.ownMib, of.cpuMsPerSecond],
        ['Node that does nothing', of.bareResidentMib, of.bareOwnMib, of.bareCpuMsPerSecond],
      ],
    ),
  ].join('\n\n');

export function soakTable(of: SoakResult): string {
  const mb = (bytes: number): number => Math.round(bytes / 1024 / 1024);
  const { agents, rate, hosts, minutes } = of.options;
  const step = Math.max(1, Math.floor(of.readings.length / 10));
  const shown = of.readings.filter((_, index) => index % step === 0);
  return [
    `${agents} agents, ${rate} tasks a second of ${hosts} hosts each, ${minutes} minutes`,
    textTable(
      ['minute', 'resident MB', 'heap MB', 'Redis MB', 'descriptors', 'timers', 'answered'],
      shown.map((each) => [
        ...[Math.round(each.atMs / 6_000) / 10, mb(each.residentBytes), mb(each.heapBytes)],
        ...[mb(each.redisBytes), each.descriptors, each.timers, each.answered],
      ]),
    ),
    `${of.tasks.refused} submits answered 503 and made again`,
    `slope after a quarter: ${of.residentMbPerHour} MB an hour resident, ${of.heapMbPerHour} heap; event loop at most ${of.loopDelayMaxMs} ms`,
  ].join('\n\n');
}
