import type { KeyObject } from 'node:crypto';
import {
  type TrustBundle,
  type TrustEnvelope,
  trustBundle,
  trustEnvelope,
} from '../contracts/trust.ts';
import { FixpointError } from '../domain/errors.ts';
import { isSignedBy, publicKeyOf, type Signed } from './signature.ts';

/** What a trust bundle that comes after another one is to whoever holds that. */
export type Succession =
  | { readonly kind: 'taken'; readonly trust: Trust }
  | { readonly kind: 'same' }
  | { readonly kind: 'refused'; readonly why: 'unknown_key' | 'forged' | 'older' | 'unreadable' };

/** Keys and authorities that somebody trusts, and the envelope they came in. */
export class Trust {
  readonly bundle: TrustBundle;
  readonly envelope: TrustEnvelope;
  readonly #keys: ReadonlyMap<string, KeyObject>;

  private constructor(envelope: TrustEnvelope, bundle: TrustBundle) {
    this.envelope = envelope;
    this.bundle = bundle;
    this.#keys = new Map(
      bundle.signingKeys.map(({ keyId, publicKey }) => [keyId, publicKeyOf(publicKey)]),
    );
  }

  /**
   * The bundle in the text of a `trust.json`. Who vouches for it is the caller's to know. Throws
   * `invalid_payload` if it is none.
   */
  static read(text: string): Trust {
    try {
      return Trust.#open(trustEnvelope.parse(JSON.parse(text)));
    } catch (cause) {
      throw new FixpointError('invalid_payload', 'this is no trust bundle', { cause });
    }
  }

  static #open(envelope: TrustEnvelope): Trust {
    const text = Buffer.from(envelope.payload, 'base64').toString('utf8');
    return new Trust(envelope, trustBundle.parse(JSON.parse(text)));
  }

  /** Whether the bytes are signed by the key of that name, if it is one of ours. */
  judge(signed: Signed & { readonly keyId: string }): 'fits' | 'unknown_key' | 'forged' {
    const key = this.#keys.get(signed.keyId);
    if (key === undefined) return 'unknown_key';
    return isSignedBy(signed, key) ? 'fits' : 'forged';
  }

  /** Whether a key of this bundle signed the envelope: its own, or the next one. */
  vouchesFor({
    payloadType,
    payload,
    signatures,
  }: TrustEnvelope): 'fits' | 'unknown_key' | 'forged' {
    const bytes = Buffer.from(payload, 'base64');
    const verdicts = signatures.map(({ keyid, sig }) =>
      this.judge({ keyId: keyid, payloadType, payload: bytes, signature: sig }),
    );
    return (['fits', 'forged'] as const).find((each) => verdicts.includes(each)) ?? 'unknown_key';
  }

  /**
   * What `next` is to whoever holds this: it replaces this only with a higher serial and a signature
   * of a key in this, so that nobody between can slip in a key, or bring back one that was dropped.
   * Read only once the signature fits.
   */
  follow(next: TrustEnvelope): Succession {
    if (next.payload === this.envelope.payload) return { kind: 'same' };
    const vouched = this.vouchesFor(next);
    if (vouched !== 'fits') return { kind: 'refused', why: vouched };
    try {
      const trust = Trust.#open(next);
      const isNewer = trust.bundle.serial > this.bundle.serial;
      return isNewer ? { kind: 'taken', trust } : { kind: 'refused', why: 'older' };
    } catch {
      return { kind: 'refused', why: 'unreadable' };
    }
  }
}
