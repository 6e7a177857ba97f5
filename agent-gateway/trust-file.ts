import { readFile, stat } from 'node:fs/promises';
import { FixpointError } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { Trust } from '../platform/trust-bundle.ts';
import { type Rounds, startRounds } from './rounds.ts';

export type TrustFileDeps = {
  /** `trust.json`, made and signed by an operator; a gateway only hands it on. */
  readonly file: string;
  /** A bundle came, or another one. */
  readonly onChange: (trust: Trust) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
};

const lookMs = 1_000;

/**
 * The trust bundle that agents are to have, read again whenever its file changes. A file that is no
 * bundle, or that none of its own keys has signed, is not handed on: what was known stays.
 */
export class TrustFile {
  readonly #deps: TrustFileDeps;
  #trust: Trust | null = null;
  #stamp = '';
  #rounds: Rounds | undefined;

  constructor(deps: TrustFileDeps) {
    this.#deps = deps;
  }

  /** Reads the file before anything else. Never rejects: agents that are enrolled have a bundle. */
  async start(): Promise<void> {
    const { file, clock, log } = this.#deps;
    await this.refresh().catch((error: unknown) => {
      log.warn({ error, file }, 'no trust bundle can be handed on to agents');
    });
    const work = () => this.refresh();
    this.#rounds = startRounds({ name: 'trust bundle', ms: lookMs, work, clock, log });
  }

  async stop(): Promise<void> {
    await this.#rounds?.stop();
  }

  /** Null until there was a bundle. */
  get trust(): Trust | null {
    return this.#trust;
  }

  /** Looks at the file. Throws `invalid_payload` once for each flawed content. */
  async refresh(): Promise<void> {
    const { file, log, onChange } = this.#deps;
    const stamp = await stampOf(file);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    if (stamp === 'none') return log.warn({ file }, 'there is no trust bundle to hand on');
    const trust = Trust.read(await readFile(file, 'utf8'));
    if (trust.vouchesFor(trust.envelope) !== 'fits') {
      throw new FixpointError('invalid_payload', `${file} is not signed by a key of its own`);
    }
    this.#trust = trust;
    const { serial, signingKeys } = trust.bundle;
    log.info({ serial, keyIds: signingKeys.map(({ keyId }) => keyId) }, 'the trust bundle');
    await onChange(trust);
  }
}

/** Changes when the file does. */
async function stampOf(file: string): Promise<string> {
  try {
    const { size, mtimeMs, ino } = await stat(file);
    return `${ino}/${size}/${mtimeMs}`;
  } catch {
    return 'none'; // Said once, above.
  }
}
