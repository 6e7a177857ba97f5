import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { payloadTypes, type TrustEnvelope } from '../contracts/trust.ts';
import { FixpointError } from '../domain/errors.ts';
import { type CrashPoints, noCrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import { Trust } from '../platform/trust-bundle.ts';
import type { SignedText } from './task-check.ts';

const forgedNote =
  'the signature does not fit: the job was changed after it was signed, or was never signed';

/** What the parts of an agent need of it; a simulated agent may do without keys. */
export type AgentTrust = Pick<TrustStore, 'authorities' | 'distrust' | 'take'>;

/**
 * Whom this agent trusts: `trust.json` of its state folder. The first one comes with the identity;
 * from then on a gateway may bring newer ones, but only those that a key in the one before has
 * signed, so that a gateway in the wrong hands can not make itself believed.
 */
export class TrustStore {
  readonly #path: string;
  readonly #log: Log;
  readonly #crashAt: CrashPoints<'agent'>;
  #trust: Trust | null;

  private constructor(of: {
    readonly path: string;
    readonly log: Log;
    readonly crashAt: CrashPoints<'agent'>;
    readonly trust: Trust | null;
  }) {
    this.#path = of.path;
    this.#log = of.log;
    this.#crashAt = of.crashAt;
    this.#trust = of.trust;
  }

  /** Without a file nobody is trusted, and no job runs. Throws `invalid_payload` for a damaged one. */
  static open(path: string, log: Log, crashAt: CrashPoints<'agent'> = noCrashPoints): TrustStore {
    if (!existsSync(path)) {
      log.warn({ path }, 'this agent trusts no signing key, and so refuses every job');
      return new TrustStore({ path, log, crashAt, trust: null });
    }
    try {
      const trust = Trust.read(readFileSync(path, 'utf8'));
      return new TrustStore({ path, log, crashAt, trust });
    } catch (cause) {
      const fix = 'is no trust bundle; copy the one of the certificates folder here';
      throw new FixpointError('invalid_payload', `${path} ${fix}`, {
        flaws: [{ field: path, fix }],
        cause,
      });
    }
  }

  /** Certificates (PEM) of authorities beside the one of the identity, whose gateways are ours. */
  get authorities(): readonly string[] {
    return this.#trust?.bundle.authorities ?? [];
  }

  /** Why a job's text must not be believed, for its note; null if a key that we trust signed it. */
  distrust({ text, keyId, signature }: SignedText): string | null {
    if (signature === undefined) return 'the job is not signed';
    if (this.#trust === null) return 'this agent has no trust.json and so knows no signing key';
    if (keyId === null) return forgedNote;
    // Text that UTF-8 cannot carry would be signed as if it were another.
    if (!text.isWellFormed()) return forgedNote;
    const payload = Buffer.from(text, 'utf8');
    const verdict = this.#trust.judge({
      keyId,
      payloadType: payloadTypes.job,
      payload,
      signature,
    });
    if (verdict === 'unknown_key') return `this agent does not know the signing key ${keyId}`;
    return verdict === 'fits' ? null : forgedNote;
  }

  /** Takes a newer bundle, if it may, and has it on disk before it counts. Never throws. */
  take(envelope: TrustEnvelope): void {
    const next = this.#trust?.follow(envelope) ?? { kind: 'refused', why: 'unknown_key' };
    if (next.kind === 'same') return;
    if (next.kind === 'refused') {
      this.#log.warn({ why: next.why }, 'a trust bundle was refused');
      return;
    }
    try {
      replaceFile(this.#path, JSON.stringify(envelope), () => this.#crashAt('before-trust'));
      this.#crashAt('after-trust');
      this.#trust = next.trust;
      const { serial, signingKeys } = next.trust.bundle;
      const keyIds = signingKeys.map(({ keyId }) => keyId);
      this.#log.info({ serial, keyIds }, 'a newer trust bundle was taken');
    } catch (error) {
      // It comes again with the next session.
      this.#log.error({ error }, 'a trust bundle cannot be written; the one before stays');
    }
  }
}

/** The old content or the new one, whatever happens meanwhile. */
function replaceFile(path: string, text: string, onWritten: () => void): void {
  const fresh = `${path}.new`;
  writeFileSync(fresh, text, { mode: 0o600, flush: true });
  onWritten();
  renameSync(fresh, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
