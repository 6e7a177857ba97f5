import { atLeast, atMost, type Bar } from './bars.ts';
import type { CpuUse } from './cpu-meter.ts';
import { type Figures, figuresOf, rounded } from './figures.ts';
import type { Latency } from './latency.ts';
import { type StageFigures, slowestOf, stagesOf } from './stages.ts';
import type { Throughput } from './throughput.ts';

/** How many of what were asked for. */
export type LoopOptions = {
  readonly alerts: number;
  /** Alerts a second. */
  readonly rate: number;
  readonly remediations: number;
  readonly concurrency: number;
};

export type LoopResult = {
  readonly options: LoopOptions;
  /** Milliseconds; as everything that does not say otherwise. */
  readonly toProcess: Figures;
  readonly floor: Figures;
  readonly answered: Figures;
  readonly toVerified: Figures;
  readonly stages: readonly StageFigures[];
  /** The slowest alert of all: milliseconds by stage. */
  readonly slowest: Readonly<Record<string, number>>;
  readonly events: { readonly remediation: Figures; readonly mailbox: Figures };
  readonly repairs: ThroughputFigures;
  readonly bare: ThroughputFigures;
  /** Of the medians to a process and to a bare activity, and of the two rates. */
  readonly ratios: { readonly toProcess: number; readonly repairs: number };
  readonly bars: readonly Bar[];
  /** Cores used while the alerts came one by one. */
  readonly latencyCores: { readonly ours: number; readonly others: number; readonly idle: number };
  readonly generator: {
    readonly late: Figures;
    readonly loopDelayP99Ms: number;
    /** Posts answered 503 and made again. */
    readonly refused: number;
  };
  readonly samples: { readonly toProcess: readonly number[]; readonly floor: readonly number[] };
};

type ThroughputFigures = {
  readonly perSecond: number;
  readonly took: Figures;
  /** CPU milliseconds of one, by process. */
  readonly cpuMs: Readonly<Record<string, number>>;
  /** Of the machine's cores, on average. */
  readonly cores: { readonly ours: number; readonly others: number; readonly idle: number };
};

/** The figures of a run. `bare` was measured before and after the repairs: both count alike. */
export function loopResult(of: {
  readonly options: LoopOptions;
  readonly latency: Latency;
  readonly repairs: Throughput;
  readonly bare: readonly [Throughput, Throughput];
  readonly latencyCpu: CpuUse;
  readonly loopDelayP99Ms: number;
}): LoopResult {
  const { passages, floorMs, lateMs, events } = of.latency;
  const since = (mark: 'answered' | 'running' | 'closed') =>
    passages.map((passage) => passage[mark] - passage.sent);
  const toProcess = figuresOf(since('running'));
  const floor = figuresOf(floorMs);
  const repairs = throughputFigures([of.repairs]);
  const bare = throughputFigures(of.bare);
  const measured = {
    toProcess,
    floor,
    repairs,
    bare,
    events: {
      remediation: figuresOf(events.map(({ remediationEvents }) => remediationEvents)),
      mailbox: figuresOf(events.map(({ mailboxEvents }) => mailboxEvents)),
    },
    ratios: {
      toProcess: rounded(toProcess.p50 / floor.p50),
      repairs: rounded(repairs.perSecond / bare.perSecond),
    },
  };
  return {
    options: of.options,
    ...measured,
    answered: figuresOf(since('answered')),
    toVerified: figuresOf(since('closed')),
    stages: stagesOf(passages),
    slowest: slowestOf(passages),
    bars: barsOf(measured),
    latencyCores: {
      ours: of.latencyCpu.ours,
      others: of.latencyCpu.others,
      idle: of.latencyCpu.idle,
    },
    generator: {
      late: figuresOf(lateMs),
      loopDelayP99Ms: rounded(of.loopDelayP99Ms),
      refused: of.latency.refused,
    },
    samples: { toProcess: since('running').map(rounded), floor: floorMs.map(rounded) },
  };
}

function throughputFigures(rounds: readonly Throughput[]): ThroughputFigures {
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanOf = (value: (round: Throughput) => number) => rounded(mean(rounds.map(value)));
  const parts = Object.keys(rounds[0]?.cpu.parts ?? {});
  return {
    perSecond: meanOf(({ perSecond }) => perSecond),
    took: figuresOf(rounds.flatMap(({ tookMs }) => tookMs)),
    cpuMs: Object.fromEntries(
      parts.map((part) => [part, meanOf(({ cpu, count }) => (cpu.parts[part] ?? 0) / count)]),
    ),
    cores: {
      ours: meanOf(({ cpu }) => cpu.ours),
      others: meanOf(({ cpu }) => cpu.others),
      idle: meanOf(({ cpu }) => cpu.idle),
    },
  };
}

/** The bars of design 8 that this benchmark is about. */
function barsOf(
  of: Pick<LoopResult, 'toProcess' | 'repairs' | 'ratios' | 'events'>,
): readonly Bar[] {
  return [
    atMost('webhook to first process start, p50, ms', 150, of.toProcess.p50),
    atMost('webhook to first process start, p99, ms', 300, of.toProcess.p99),
    atLeast('remediations a second, whole loop', 5, of.repairs.perSecond),
    atLeast('the same by bare workflows of three activities', 0.35, of.ratios.repairs),
    atMost('events of a remediation, largest', 60, of.events.remediation.max),
    atMost('events of a mailbox, largest', 25, of.events.mailbox.max),
  ];
}
