import type { KeyObject } from 'node:crypto';
import {
  type TrustBundle,
  type TrustEnvelope,
  type TrustRoot,
  trustBundle,
  trustEnvelope,
} from '../contracts/trust.ts';
import { FixpointError } from '../domain/errors.ts';
import {
  bytesOfPublicKey,
  isSignedBy,
  keyIdOf,
  publicKeyOf,
  publicKeyOfBytes,
  type Signed,
} from './signature.ts';

/** What a trust bundle that comes after another one is to whoever holds that. */
export type Succession =
  | { readonly kind: 'taken'; readonly trust: Trust }
  | { readonly kind: 'same' }
  | { readonly kind: 'refused'; readonly why: 'unknown_key' | 'forged' | 'older' | 'unreadable' };

type Keys = ReadonlyMap<string, KeyObject>;
type Verdict = 'fits' | 'unknown_key' | 'forged';

/** Keys and authorities that somebody trusts, and the envelope they came in. */
export class Trust {
  readonly bundle: TrustBundle;
  readonly envelope: TrustEnvelope;
  readonly #keys: Keys;

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

  /**
   * The first bundle of whoever has been told its root: sealed by a key of that, by the key's own
   * bytes and under no name that the bundle gives it, and with at least that serial.
   */
  static first(envelope: TrustEnvelope, root: TrustRoot): Exclude<Succession, { kind: 'same' }> {
    const keys = new Map(
      root.keys.map(publicKeyOfBytes).map((key) => [keyIdOf(key), key] as const),
    );
    return Trust.#after(envelope, { keys, leastSerial: root.serial });
  }

  static #open(envelope: TrustEnvelope): Trust {
    const text = Buffer.from(envelope.payload, 'base64').toString('utf8');
    return new Trust(envelope, trustBundle.parse(JSON.parse(text)));
  }

  /** Read only once the signature fits. */
  static #after(
    next: TrustEnvelope,
    of: { readonly keys: Keys; readonly leastSerial: number },
  ): Exclude<Succession, { kind: 'same' }> {
    const seal = sealedBy(of.keys, next);
    if (seal !== 'fits') return { kind: 'refused', why: seal };
    try {
      const trust = Trust.#open(next);
      const isNewEnough = trust.bundle.serial >= of.leastSerial;
      return isNewEnough ? { kind: 'taken', trust } : { kind: 'refused', why: 'older' };
    } catch {
      return { kind: 'refused', why: 'unreadable' };
    }
  }

  /** What tells somebody without a bundle whom this one, and those after it, are sealed by. */
  get root(): TrustRoot {
    return { keys: [...this.#keys.values()].map(bytesOfPublicKey), serial: this.bundle.serial };
  }

  /** Whether the bytes are signed by the key of that name, if it is one of ours. */
  judge(signed: Signed & { readonly keyId: string }): Verdict {
    return judgedBy(this.#keys, signed);
  }

  /** Whether a key of this bundle signed the envelope: its own, or the next one. */
  vouchesFor(envelope: TrustEnvelope): Verdict {
    return sealedBy(this.#keys, envelope);
  }

  /**
   * What `next` is to whoever holds this: it replaces this only with a higher serial and a signature
   * of a key in this, so that nobody between can slip in a key, or bring back one that was dropped.
   */
  follow(next: TrustEnvelope): Succession {
    if (next.payload === this.envelope.payload) return { kind: 'same' };
    return Trust.#after(next, { keys: this.#keys, leastSerial: this.bundle.serial + 1 });
  }
}

function judgedBy(keys: Keys, signed: Signed & { readonly keyId: string }): Verdict {
  const key = keys.get(signed.keyId);
  if (key === undefined) return 'unknown_key';
  return isSignedBy(signed, key) ? 'fits' : 'forged';
}

/** Whether any of the keys has signed the envelope. */
function sealedBy(keys: Keys, { payloadType, payload, signatures }: TrustEnvelope): Verdict {
  const bytes = Buffer.from(payload, 'base64');
  const verdicts = signatures.map(({ keyid, sig }) =>
    judgedBy(keys, { keyId: keyid, payloadType, payload: bytes, signature: sig }),
  );
  return (['fits', 'forged'] as const).find((each) => verdicts.includes(each)) ?? 'unknown_key';
}
