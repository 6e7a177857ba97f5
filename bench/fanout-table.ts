import type { FanoutResult } from './fanout.ts';
import { textTable } from './text-table.ts';

/** The result as people read it. */
export function fanoutTable({ echo, fanouts }: FanoutResult): string {
  const modes = { link: 'wire only', whole: 'everything on' } as const;
  const kb = (bytes: number): number => Math.round(bytes / 1_024);
  return [
    'one command to all; milliseconds until the results of … were in, medians',
    textTable(
      [
        '',
        'signed',
        'kept',
        'first',
        '50 %',
        '99 %',
        'last',
        'last min',
        'last max',
        'told',
        'known',
      ],
      [
        ...echo.map(({ links, first, half, most, last, lastMin, lastMax }) => [
          ...[
            `${links} links, bare ws echo`,
            '',
            '',
            first,
            half,
            most,
            last,
            lastMin,
            lastMax,
            '',
            '',
          ],
        ]),
        ...fanouts.map(({ agents, mode, times }) => [
          `${agents} agents, ${modes[mode]}`,
          ...[times.signed, times.accepted, times.first, times.half, times.most, times.last].map(
            ({ p50 }) => p50,
          ),
          ...[times.last.min, times.last.max, times.told.p50, times.known.p50],
        ]),
      ],
    ),
    'CPU by host and command, microseconds; memory by agent, KB; event loop of the gateway, milliseconds',
    textTable(
      ['', 'server', 'Redis', 'agents', 'submitter', 'server KB', 'agent KB', 'loop max'],
      [
        ...echo.map(({ links, cpuUsPerHost, bytesPerLink }) => [
          ...[`${links} links, bare ws echo`, cpuUsPerHost, '', '', '', kb(bytesPerLink), '', ''],
        ]),
        ...fanouts.map((fanout) => {
          const { agents, mode, cpuUsPerHost: cpu } = fanout;
          const ofAgents = Object.entries(cpu).filter(([name]) => name.startsWith('agents'));
          return [
            `${agents} agents, ${modes[mode]}`,
            ...[cpu['gateway'] ?? '', cpu['redis'] ?? ''],
            Math.round(ofAgents.reduce((sum, [, us]) => sum + us, 0)),
            cpu['bench'] ?? '',
            ...[kb(fanout.gatewayBytesPerAgent), kb(fanout.fleetBytesPerAgent)],
            fanout.loopDelayMaxMs,
          ];
        }),
      ],
    ),
  ].join('\n\n');
}
