import { setImmediate } from 'node:timers/promises';
import { limits } from '../contracts/limits.ts';
import { slices } from '../domain/slices.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { type Rounds, startRounds } from './rounds.ts';
import type { SessionRegistry } from './session-registry.ts';

export type CertificateSweepDeps = {
  readonly registry: Pick<SessionRegistry, 'all'>;
  /** When the newest certificate that the register has of an agent ends, Unix milliseconds. */
  readonly newestEndOf: (agentId: string) => number | undefined;
  readonly clock: Clock;
  readonly log: Log;
};

const sweepMs = 2_000;
// Nothing but another enrolment lets it in again.
const expiredRetryMs = 10_000;

/**
 * Ends the sessions of agents that hold no valid certificate any more, by this gateway's clock: an
 * identity that nobody renews ends with its certificate, however long its link has stood. A session
 * outlives the certificate that it was opened with when its agent was renewed meanwhile, because
 * renewing leaves the link alone.
 */
export class CertificateSweep {
  readonly #deps: CertificateSweepDeps;
  #rounds: Rounds | undefined;

  constructor(deps: CertificateSweepDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { clock, log } = this.#deps;
    const work = () => this.look();
    this.#rounds = startRounds({ name: 'certificate-sweep', ms: sweepMs, work, clock, log });
  }

  async stop(): Promise<void> {
    await this.#rounds?.stop();
  }

  /** Looks at every session once, in slices. May be repeated. */
  async look(): Promise<void> {
    const { registry, newestEndOf, clock, log } = this.#deps;
    const sessions = registry.all();
    for (const slice of slices(sessions, limits.sliceJobsMax)) {
      for (const session of slice) {
        const { agentId, certificateEndsAt } = session;
        if (clock.now() <= Math.max(certificateEndsAt, newestEndOf(agentId) ?? 0)) continue;
        log.warn({ agentId }, 'the certificate of an agent has run out; its session is ended');
        session.end('certificate_expired', expiredRetryMs);
      }
      await setImmediate();
    }
  }
}
