import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { StandingStop } from '../contracts/stop.ts';
import type { JobReport } from '../contracts/task.ts';
import type { ErrorCode } from '../domain/errors.ts';
import { isFinal, reasonHints } from '../domain/job.ts';
import { scopeText } from '../domain/stop-scope.ts';
import type { Metrics } from '../platform/metrics.ts';

/** What is asked when metrics are read; each may fail, which leaves its gauge as it was. */
export type GatewayGauges = {
  readonly agentsConnected: () => number;
  readonly agentsEnrolled: () => number;
  readonly isStopped: () => boolean;
  readonly stops: () => readonly StandingStop[];
  readonly tasksOpen: () => Promise<number>;
  /** Unix milliseconds, null if the outbox is empty. */
  readonly oldestCallback: () => Promise<number | null>;
  /** Unix milliseconds at which this gateway's certificate ends. */
  readonly certificateEndsAt: () => number;
  readonly now: () => number;
  readonly clockAheadMs: () => number;
};

/** Why something an agent sent was not taken. */
export type RefusedFrame = 'bad_frame' | 'wrong_agent' | 'no_such_job' | 'not_final' | 'output_gap';

/** The gateway's metrics by their names (names 6). */
export class GatewayMetrics {
  readonly #jobs;
  readonly #refusals;
  readonly #late;
  readonly #frames;
  readonly #texts;
  readonly #callbacks;
  readonly #output;
  readonly #toAck;
  readonly #heartbeat;
  readonly #handshakes;
  readonly #enrolments;

  constructor(metrics: Metrics) {
    this.#jobs = metrics.counter('fixpoint_jobs_total', 'Jobs that ended, by outcome.', [
      'outcome',
    ]);
    this.#refusals = metrics.counter(
      'fixpoint_job_refusals_total',
      'Jobs an agent refused, by reason.',
      ['reason'],
    );
    this.#late = metrics.counter(
      'fixpoint_job_reports_dropped_total',
      'Reports of jobs that had ended, whose task is gone, or of a session that a newer one replaced.',
      ['reason'],
    );
    this.#frames = metrics.counter(
      'fixpoint_agent_frames_refused_total',
      'Frames of agents that were not taken, by reason.',
      ['reason'],
    );
    this.#texts = metrics.counter(
      'fixpoint_job_texts_refused_total',
      'Texts of jobs that did not make a lost task known again.',
      ['reason'],
    );
    this.#callbacks = metrics.counter(
      'fixpoint_callback_attempts_total',
      'Callbacks tried, by result.',
      ['result'],
    );
    this.#output = metrics.counter(
      'fixpoint_output_bytes_total',
      'Bytes of output that agents sent and that were new.',
    );
    this.#toAck = metrics.histogram(
      'fixpoint_dispatch_to_ack_seconds',
      'From writing a job to the agent’s first word on it, which may be held for 50 ms.',
    );
    this.#heartbeat = metrics.histogram(
      'fixpoint_agent_heartbeat_delay_seconds',
      'How much later than asked for a ping came; above the start lease, jobs are refused.',
    );
    this.#handshakes = metrics.counter(
      'fixpoint_agent_handshakes_total',
      'Links of agents, by how they opened.',
      ['outcome'],
    );
    this.#enrolments = metrics.counter(
      'fixpoint_enrolments_total',
      'Enrolments and renewals, by how they ended; the refused ones by error code.',
      ['outcome'],
    );
  }

  enrolment(outcome: 'enrolled' | 'renewed' | ErrorCode): void {
    this.#enrolments.inc({ outcome });
  }

  jobEnded(report: JobReport): void {
    if (!isFinal(report.state)) return;
    this.#jobs.inc({ outcome: report.state });
    if (report.state !== 'refused') return;
    // An agent chooses the text of a reason; labels come from our own table only.
    const reason = report.reason ?? '';
    this.#refusals.inc({ reason: Object.hasOwn(reasonHints, reason) ? reason : 'other' });
  }

  jobsCancelled(count: number): void {
    if (count > 0) this.#jobs.inc({ outcome: 'cancelled' }, count);
  }

  jobsNotEnrolled(count: number): void {
    if (count > 0) this.#jobs.inc({ outcome: 'not_enrolled' }, count);
  }

  reportDropped(reason: 'late' | 'gone' | 'replaced'): void {
    this.#late.inc({ reason });
  }

  frameRefused(reason: RefusedFrame): void {
    this.#frames.inc({ reason });
  }

  textRefused(reason: string): void {
    this.#texts.inc({ reason });
  }

  callbackTried(result: 'delivered' | 'gone' | 'failed' | 'dead'): void {
    this.#callbacks.inc({ result });
  }

  outputKept(bytes: number): void {
    this.#output.inc(bytes);
  }

  acked(ms: number): void {
    this.#toAck.observe(ms / 1_000);
  }

  /** `silentMs` since the agent's last word, when its ping comes. */
  heartbeat(silentMs: number, pingMs: number): void {
    this.#heartbeat.observe(Math.max(0, silentMs - pingMs) / 1_000);
  }

  handshake(outcome: string): void {
    this.#handshakes.inc({ outcome });
  }
}

/** Gauges that are read when somebody asks, so that none can go stale. */
export function registerGauges(metrics: Metrics, of: GatewayGauges): void {
  const asked = (name: string, help: string, read: () => Promise<number> | number) => {
    const gauge = metrics.gauge(name, help);
    // The library calls `collect` before each read and keeps the old value if it is not set.
    Object.assign(gauge, {
      async collect() {
        try {
          gauge.set(await read());
        } catch {
          // Redis is away, which /readyz says; a missing gauge must not hide the other metrics.
        }
      },
    });
  };
  asked('fixpoint_agents_connected', 'Agents with a link to this gateway.', of.agentsConnected);
  asked('fixpoint_agents_enrolled', 'Agents of the issue register.', of.agentsEnrolled);
  registerStops(metrics, of);
  asked('fixpoint_tasks_open', 'Tasks that have not finished.', of.tasksOpen);
  asked('fixpoint_callback_oldest_seconds', 'Age of the oldest callback to be made.', async () => {
    const at = await of.oldestCallback();
    return at === null ? 0 : Math.max(0, of.now() - at) / 1_000;
  });
  asked(
    'fixpoint_certificate_days_left',
    'Days until the certificate of this gateway ends; agents refuse it after that.',
    () => (of.certificateEndsAt() - of.now()) / 86_400_000,
  );
  asked(
    'fixpoint_clock_ahead_seconds',
    'How far this clock is ahead of Redis’s, which deadlines follow.',
    () => of.clockAheadMs() / 1_000,
  );
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  asked(
    'fixpoint_event_loop_delay_seconds',
    'Delay of the event loop, p99 since the last read.',
    () => {
      const p99 = delay.percentile(99) / 1e9;
      delay.reset();
      return Number.isFinite(p99) ? p99 : 0;
    },
  );
}

/** One row for everything, which is always there, and one for each policy and domain that is stopped. */
function registerStops(metrics: Metrics, of: Pick<GatewayGauges, 'isStopped' | 'stops'>): void {
  const gauge = metrics.gauge(
    'fixpoint_control_stopped',
    '1 while nothing of this scope may start: `all`, a policy or a fault domain.',
    ['scope'],
  );
  Object.assign(gauge, {
    collect() {
      gauge.reset();
      gauge.set({ scope: 'all' }, Number(of.isStopped()));
      for (const { scope } of of.stops()) gauge.set({ scope: scopeText(scope) }, 1);
    },
  });
}
