import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FixpointError } from '../domain/errors.ts';
import type { KeyPair } from '../platform/authority.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { type Rounds, startRounds } from './rounds.ts';

/** What a gateway proves itself with, whom it lets in, and what it issues with. All PEM. */
export type GatewayCertificates = {
  /** Authorities of agents' certificates; two while one takes over from the other. */
  readonly authorities: readonly string[];
  /** The gateway's own. */
  readonly own: KeyPair;
  /** Signs agents' certificates; null on a gateway that was not given `ca.key`. */
  readonly issuer: KeyPair | null;
};

const lookMs = 1_000;
const needed = ['ca.crt', 'gateway.crt', 'gateway.key'] as const;

/**
 * The folder of certificates, looked at every second, so that new ones count without a restart.
 * `authorities.crt`, if it is there, holds authorities beside `ca.crt`.
 */
export class CertificateFolder {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #read = '';
  #current: GatewayCertificates | undefined;
  #rounds: Rounds | undefined;

  constructor(of: { readonly directory: string; readonly clock: Clock; readonly log: Log }) {
    this.#directory = of.directory;
    this.#clock = of.clock;
    this.#log = of.log;
  }

  /**
   * Reads the folder, then goes on looking and tells `onChange`. Throws `invalid_payload` if
   * something that is needed is missing; later that is logged, and what was read before stays.
   */
  async start(onChange: (certificates: GatewayCertificates) => void): Promise<void> {
    await this.#look();
    this.#rounds = startRounds({
      ...{ name: 'certificates', ms: lookMs, clock: this.#clock, log: this.#log },
      work: async () => {
        if (!(await this.#look())) return;
        this.#log.info({}, 'the gateway uses new certificates');
        onChange(this.current);
      },
    });
  }

  async stop(): Promise<void> {
    await this.#rounds?.stop();
  }

  /** As of the last look. */
  get current(): GatewayCertificates {
    if (this.#current !== undefined) return this.#current;
    throw new FixpointError('internal', 'certificates were asked for before they were read');
  }

  /** Whether there was something new. */
  async #look(): Promise<boolean> {
    const read = (name: string) => readFile(join(this.#directory, name), 'utf8').catch(() => '');
    const [ca = '', certificate = '', key = ''] = await Promise.all(needed.map(read));
    const [caKey, others] = await Promise.all(['ca.key', 'authorities.crt'].map(read));
    if (ca === '' || certificate === '' || key === '') throw missing(this.#directory);
    const all = JSON.stringify([ca, certificate, key, caKey, others]);
    if (all === this.#read) return false;
    requirePair(certificate, key, 'gateway');
    if (caKey) requirePair(ca, caKey, 'ca');
    this.#current = {
      authorities: certificatesIn(`${ca}\n${others}`),
      own: { certificate, key },
      issuer: caKey ? { certificate: ca, key: caKey } : null,
    };
    this.#read = all;
    return true;
  }
}

/** Each once, although one may stand in both files. */
const certificatesIn = (text: string): readonly string[] => [
  ...new Set(text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)),
];

const missing = (directory: string): FixpointError =>
  new FixpointError('invalid_payload', `${directory} has no ${needed.join(', ')}`, {
    hint: 'FIXPOINT_CERTIFICATES_DIR names the folder; `fixpoint setup certificates` makes them',
  });

/** Two files are not written at once; what is between two pairs is not used. */
function requirePair(certificate: string, key: string, name: string): void {
  if (new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) return;
  throw new FixpointError('invalid_payload', `${name}.key is not the key of ${name}.crt`);
}
