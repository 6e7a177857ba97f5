import { limits } from '../contracts/limits.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import type { Compaction, IssueRegister } from './issue-register.ts';
import { type Rounds, startRounds } from './rounds.ts';

export type RegisterCompactionDeps = {
  readonly register: Pick<IssueRegister, 'bytes' | 'read' | 'compact'>;
  readonly certificates: { readonly current: { readonly issuer: object | null } };
  readonly gatewayLookMs: number;
  readonly crash: CrashPoints<'gateway'>;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * Keeps the issue register from growing for good: ten thousand agents that renew twice a day are
 * 7 MB a day. Left to gateways that issue, because the others write nothing there; any number of
 * them may try.
 */
export class RegisterCompaction {
  readonly #deps: RegisterCompactionDeps;
  #dueAtBytes: number = limits.registerBytes;
  #rounds: Rounds | undefined;

  constructor(deps: RegisterCompactionDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { clock, log, gatewayLookMs: ms } = this.#deps;
    const work = () => this.look();
    this.#rounds = startRounds({ name: 'register', ms, work, clock, log });
  }

  async stop(): Promise<void> {
    await this.#rounds?.stop();
  }

  /**
   * Looks at the size once. What could not be made shorter is tried again at twice its size. Rejects
   * if another writer was in the way, and then the next look tries again.
   */
  async look(): Promise<void> {
    const { register, certificates, log } = this.#deps;
    if (certificates.current.issuer === null) return;
    await register.read();
    const before = register.bytes;
    if (before < this.#dueAtBytes) return;
    const outcome = await this.#compact();
    // What is there now is another gateway's work and what came since: the next look measures it.
    if (outcome === 'overtaken') return;
    this.#dueAtBytes = Math.max(limits.registerBytes, 2 * register.bytes);
    if (outcome === 'left') return;
    log.info({ before, bytes: register.bytes }, 'the issue register was made shorter');
  }

  async #compact(): Promise<Compaction> {
    const { register, crash, clock, log } = this.#deps;
    try {
      return await register.compact({ now: clock.now(), crash });
    } catch (error) {
      if (error instanceof FixpointError) throw error;
      log.error({ error }, 'the issue register cannot be made shorter; it stays as it is');
      return 'left';
    }
  }
}
