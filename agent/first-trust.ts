import { type AgentToken, authorityAnswer } from '../contracts/enrolment.ts';
import type { TrustEnvelope } from '../contracts/trust.ts';
import { FixpointError } from '../domain/errors.ts';
import { fingerprintOf } from '../platform/digest.ts';
import { Trust } from '../platform/trust-bundle.ts';
import { callGateway } from './gateway-call.ts';

/** Whom a host trusts from the beginning. */
export type FirstTrust = {
  /** Certificates of authorities, PEM. */
  readonly authorities: readonly string[];
  readonly trust: TrustEnvelope;
};

/**
 * What a gateway tells to anybody, as far as the token vouches for it. Whoever answered is not
 * believed: certificates are, because the token holds their fingerprints, and the trust bundle is,
 * because a key that the token names has sealed it. All this comes before the secret is told, so
 * that a gateway that is refused has learned nothing and the token is still good. Throws
 * `forbidden` if there is nothing to believe, `upstream_unavailable` if nobody answers.
 */
export async function firstTrust(token: AgentToken, gateway: string): Promise<FirstTrust> {
  const told = await callGateway({
    ...{ gateway, path: '/v1/authority', answer: authorityAnswer },
    tls: { kind: 'anybody' },
  });
  const authorities = told.authorities.filter((pem) => isNamedBy(token, pem));
  if (authorities.length === 0) {
    throw new FixpointError('forbidden', `${gateway} is not the gateway that the token names`, {
      hint: 'somebody else answers there, or its authority was changed: make another token',
    });
  }
  return { authorities, trust: vouchedFor(token, gateway, told.trust) };
}

function vouchedFor(token: AgentToken, gateway: string, told: TrustEnvelope | null): TrustEnvelope {
  if (told === null) {
    throw new FixpointError(
      'forbidden',
      `${gateway} has no trust bundle, and the token asks for one`,
      {
        hint: 'is trust.json in its FIXPOINT_CERTIFICATES_DIR? `fixpoint setup certificates` makes it',
      },
    );
  }
  const first = Trust.first(told, token.trust);
  if (first.kind === 'taken') return first.trust.envelope;
  if (first.why === 'older') {
    throw new FixpointError(
      'forbidden',
      `the trust bundle of ${gateway} is older than serial ${token.trust.serial}, which the token asks for`,
      {
        hint: 'copy the newest trust.json to that gateway; if it has that, it is not to be trusted',
      },
    );
  }
  if (first.why === 'unreadable') {
    throw new FixpointError('forbidden', `the trust bundle of ${gateway} cannot be read`, {
      hint: 'it is sealed by a key that the token names: is this agent older than the gateway? Copy the newer program to this host',
    });
  }
  throw new FixpointError(
    'forbidden',
    `the trust bundle of ${gateway} is not sealed by the signing keys that the token names`,
    {
      hint: 'it is not to be trusted, unless you replaced those keys since the token was made: then make another with `fixpoint agent token create`',
    },
  );
}

function isNamedBy(token: AgentToken, pem: string): boolean {
  try {
    return token.authorities.includes(fingerprintOf(pem));
  } catch {
    return false; // It is no certificate.
  }
}
