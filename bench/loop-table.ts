import type { Figures } from './figures.ts';
import type { LoopResult } from './loop-result.ts';
import { barTable, type Row, textTable } from './text-table.ts';

/** The result as people read it. */
export function loopTable(result: LoopResult): string {
  const { options } = result;
  return [
    `${options.alerts} alerts, ${options.rate} a second; milliseconds`,
    textTable(['', 'n', 'p50', 'p90', 'p99', 'min', 'max'], latencyRows(result)),
    `way to the first process, by stage; milliseconds`,
    textTable(
      ['stage', 'p50', 'p90', 'max', 'share', 'slowest alert'],
      result.stages.map(({ stage, p50, p90, max, share }) => [
        ...[stage, p50, p90, max, `${Math.round(share * 100)} %`],
        result.slowest[stage] ?? '',
      ]),
    ),
    `${options.remediations} of each, ${options.concurrency} at once; milliseconds`,
    textTable(['', 'a second', 'p50', 'p99'], throughputRows(result)),
    'CPU of one, by process; milliseconds',
    textTable(['', 'remediation', 'bare workflow'], cpuRows(result)),
    'cores of the machine, on average (others: jobs that still ran, and strangers)',
    textTable(['', 'ours', 'others', 'idle'], coreRows(result)),
    'bars',
    barTable(result.bars),
  ].join('\n\n');
}

function latencyRows(result: LoopResult): readonly Row[] {
  const row = (what: string, { n, p50, p90, p99, min, max }: Figures): Row => [
    ...[what, n, p50, p90, p99, min, max],
  ];
  return [
    row('webhook → first process', result.toProcess),
    row('bare signalWithStart → activity', result.floor),
    row('webhook → 200', result.answered),
    row('webhook → verified', result.toVerified),
  ];
}

function throughputRows({ repairs, bare, ratios }: LoopResult): readonly Row[] {
  return [
    ['remediations, whole loop', repairs.perSecond, repairs.took.p50, repairs.took.p99],
    ['bare workflows of three activities', bare.perSecond, bare.took.p50, bare.took.p99],
    ['ratio', ratios.repairs, '', ''],
  ];
}

function cpuRows({ repairs, bare }: LoopResult): readonly Row[] {
  const parts = Object.entries(repairs.cpuMs).sort(([, left], [, right]) => right - left);
  return parts.map(([part, ms]) => [part, ms, bare.cpuMs[part] ?? '']);
}

function coreRows({ latencyCores, repairs, bare }: LoopResult): readonly Row[] {
  const row = (what: string, { ours, others, idle }: LoopResult['latencyCores']): Row => [
    ...[what, ours, others, idle],
  ];
  return [
    row('alerts one by one', latencyCores),
    row('remediations', repairs.cores),
    row('bare workflows', bare.cores),
  ];
}
