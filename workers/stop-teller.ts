import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { ControlState } from '../contracts/control.ts';
import type { StandingStop, StopChangedSignal } from '../contracts/stop.ts';
import { signalNames } from '../contracts/temporal.ts';
import { policyOfTask, stopOfPolicy, stopsOf } from '../domain/stop-scope.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { repeatUntil } from '../platform/repeat.ts';
import { runningRepairs } from './running-repairs.ts';

export type StopTellerDeps = {
  readonly client: Client;
  readonly control: { read(): Promise<ControlState | null> };
  readonly clock: Clock;
  readonly log: Log;
  readonly controlRefreshMs: number;
};

/** Looks after which repairs are listed although no stop has changed: a listing lags behind. */
const listEvery = { stopped: 5, allowed: 30 } as const;

/**
 * Tells running repairs that their policy is stopped, and that it may go on. It is news, not the
 * guard: gateways write no job of a stopped policy and the governor's activity admits no host of it,
 * whether or not a repair was told. What was told is remembered, so that a stop of days costs a repair
 * two signals; another worker, or this one begun anew, may say the same once more.
 */
export class StopTeller {
  readonly #deps: StopTellerDeps;
  /** What each repair was told last; one that was told nothing goes on. */
  readonly #told = new Map<string, string>();
  #known: string | null = null;

  constructor(deps: StopTellerDeps) {
    this.#deps = deps;
  }

  /** Looks again and again until `stopped` is aborted; a look that fails is made again. */
  run(stopped: AbortSignal): Promise<void> {
    const { clock, log, controlRefreshMs } = this.#deps;
    return repeatUntil(stopped, {
      ...{ everyMs: controlRefreshMs, clock },
      work: (round) => this.look(round),
      failed: (error) => log.warn({ error }, 'repairs are told of stops at the next look'),
    });
  }

  /** Tells those that do not know yet. May be repeated. */
  async look(round: number): Promise<void> {
    const { client, control } = this.#deps;
    const state = await control.read();
    // While the switch is not known nothing starts, and nothing was allowed either.
    if (state === null) return;
    const stops = stopsOf(state);
    const now = JSON.stringify(stops);
    const every = stops.length > 0 ? listEvery.stopped : listEvery.allowed;
    if (now === this.#known && round % every !== 0) return;
    // Also those that wait although nobody here told them: who did may be gone.
    const paused = new Set(await runningRepairs(client, ' AND FixpointState = "paused"'));
    const running = stops.length > 0 ? await runningRepairs(client) : [];
    for (const id of new Set([...paused, ...running, ...this.#told.keys()])) {
      const stop = stopOfPolicy(stops, policyOfTask(id));
      if (stop === null && !paused.has(id) && !this.#told.has(id)) continue;
      await this.#tell(id, stop);
    }
    for (const [id, word] of this.#told) {
      if (word === allowed && !paused.has(id)) this.#told.delete(id);
    }
    this.#known = now;
  }

  async #tell(remediationId: string, stop: StandingStop | null): Promise<void> {
    const word = JSON.stringify(stop);
    if (this.#told.get(remediationId) === word) return;
    try {
      await this.#deps.client.workflow
        .getHandle(remediationId)
        .signal<[StopChangedSignal]>(signalNames.stopChanged, { stop });
      this.#told.set(remediationId, word);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      this.#told.delete(remediationId);
    }
  }
}

const allowed = JSON.stringify(null);
