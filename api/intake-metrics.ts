import type { Clock } from '../platform/clock.ts';
import { Metrics } from '../platform/metrics.ts';
import type { Intake } from '../redis/intake.ts';

type Counts = Awaited<ReturnType<Intake['counts']>>;

/**
 * The api's metrics. Those of the intake are read from Redis in one call per scrape, so that
 * received = sum of fates + backlog holds in every one. Without Redis they are left out.
 */
export class ApiMetrics extends Metrics {
  readonly #intake: Intake;
  readonly #clock: Clock;

  constructor(of: { readonly intake: Intake; readonly clock: Clock }) {
    super();
    this.#intake = of.intake;
    this.#clock = of.clock;
  }

  override async text(): Promise<string> {
    const own = await super.text();
    const counts = await this.#intake.counts().catch(() => null);
    return `${own}${own === '' ? '' : '\n'}${intakeText(counts, this.#clock.now())}`;
  }
}

const source = 'alertmanager';

function intakeText(counts: Counts | null, nowMs: number): string {
  const lines = [
    '# HELP fixpoint_intake_up Whether Redis answered for the intake.',
    '# TYPE fixpoint_intake_up gauge',
    `fixpoint_intake_up ${counts === null ? 0 : 1}`,
  ];
  if (counts !== null) {
    const received = counts.counts.filter(({ fate }) => fate === 'received');
    const fates = counts.counts.filter(({ fate }) => fate !== 'received');
    const waitedMs = counts.oldestMs === null ? 0 : Math.max(0, nowMs - counts.oldestMs);
    lines.push(
      '# HELP fixpoint_intake_received_total Entries received, and copies by `continue`.',
      '# TYPE fixpoint_intake_received_total counter',
      ...received.map((of) => `fixpoint_intake_received_total{source="${of.source}"} ${of.count}`),
      '# HELP fixpoint_intake_entries_total Entries by fate; each received entry ends in one.',
      '# TYPE fixpoint_intake_entries_total counter',
      ...fates.map(
        (of) =>
          `fixpoint_intake_entries_total{source="${of.source}",fate="${of.fate}"${
            of.reason === null ? '' : `,reason="${of.reason}"`
          }} ${of.count}`,
      ),
      '# HELP fixpoint_intake_backlog Entries kept that have no fate yet.',
      '# TYPE fixpoint_intake_backlog gauge',
      `fixpoint_intake_backlog{source="${source}"} ${counts.backlog}`,
      '# HELP fixpoint_intake_oldest_seconds How long the oldest of them has waited.',
      '# TYPE fixpoint_intake_oldest_seconds gauge',
      `fixpoint_intake_oldest_seconds ${waitedMs / 1_000}`,
    );
  }
  return `${lines.join('\n')}\n`;
}
