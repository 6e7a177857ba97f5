import { createPrivateKey, X509Certificate } from 'node:crypto';
import { renewAnswer } from '../contracts/enrolment.ts';
import { limits } from '../contracts/limits.ts';
import { FixpointError } from '../domain/errors.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import { certificateRequest } from './certificate-request.ts';
import { newKey } from './enrolment.ts';
import { callGateway } from './gateway-call.ts';
import { anchorsOf, type Identity } from './identity-files.ts';

export type RenewalDeps = {
  readonly state: {
    readonly identity: Identity;
    renewalKey(make: () => string): string;
    renewed(certificate: string, crashAt: CrashPoints<'agent'>): void;
  };
  readonly gateways: readonly string[];
  readonly localAddress?: string | undefined;
  /** Of the trust bundle; PEM. */
  readonly authorities: () => readonly string[];
  /** Unix milliseconds by the gateway's clock; null before it was heard. */
  readonly gatewayTime: () => number | null;
  readonly crashAt: CrashPoints<'agent'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** A failed try is made again after this part of the certificate's life, within these bounds. */
const retryPart = 0.02;
const retryLeastMs = 500;
const retryMostMs = 600_000;
// A timer holds 24 days at most; and a clock that was set meanwhile is noticed.
const lookAgainMs = 3_600_000;

/**
 * Keeps the agent's certificate fresh: at half of its life, ± 10 % so that a fleet that was
 * enrolled together does not renew together, it asks with a new key, which is on disk before a
 * gateway hears of it. The link stays; the next one is opened with what was renewed.
 */
export class Renewal {
  readonly #deps: RenewalDeps;
  #timer: Timer | undefined;
  #isStopped = false;
  /** Whether it was said that the certificate has run out. */
  #isTold = false;
  /** Of the certificate's life; drawn anew for each. */
  #part: number;

  constructor(deps: RenewalDeps) {
    this.#deps = deps;
    this.#part = this.#draw();
  }

  /** Renews whenever it is due, until `stop`. Call once. */
  start(): void {
    this.#tellIfOver('while the agent was away');
    this.#arm(this.#dueInMs());
  }

  /** Tries go on all the same: a gateway whose clock is wrong may be put right. */
  #tellIfOver(when: string): void {
    const { certificate } = this.#deps.state.identity;
    const isOver = this.#now() > Date.parse(new X509Certificate(certificate).validTo);
    if (isOver && !this.#isTold) {
      this.#deps.log.error(
        {},
        `the certificate has run out ${when}; gateways let this host in again only after it is enrolled anew`,
      );
    }
    this.#isTold = isOver;
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #draw(): number {
    return 0.4 + this.#deps.clock.random() * 0.2;
  }

  #now(): number {
    return this.#deps.gatewayTime() ?? this.#deps.clock.now();
  }

  #lifeMs(): number {
    const { validFrom, validTo } = new X509Certificate(this.#deps.state.identity.certificate);
    return Date.parse(validTo) - Date.parse(validFrom) - limits.certificateBackdatedMs;
  }

  #dueInMs(): number {
    const { validTo } = new X509Certificate(this.#deps.state.identity.certificate);
    return Date.parse(validTo) - this.#lifeMs() * (1 - this.#part) - this.#now();
  }

  #arm(inMs: number): void {
    if (this.#isStopped) return;
    const waitMs = Math.min(Math.max(0, inMs), lookAgainMs);
    this.#timer = this.#deps.clock.after(waitMs, () => void this.#look());
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const dueInMs = this.#dueInMs();
    if (dueInMs > 0) return this.#arm(dueInMs);
    try {
      await this.#renew();
      this.#part = this.#draw();
      this.#arm(this.#dueInMs());
    } catch (error) {
      const reason = error instanceof FixpointError ? error.message : String(error);
      this.#deps.log.warn({ reason }, 'the certificate is renewed later');
      this.#tellIfOver('before it was renewed');
      this.#arm(Math.min(retryMostMs, Math.max(retryLeastMs, this.#lifeMs() * retryPart)));
    }
  }

  async #renew(): Promise<void> {
    const { state, gateways, authorities, localAddress, crashAt, clock, log } = this.#deps;
    const { certificate, key } = state.identity;
    const newOne = state.renewalKey(newKey);
    crashAt('after-renewal-key');
    const body = { request: certificateRequest(createPrivateKey(newOne)) };
    const gateway = gateways[Math.floor(clock.random() * gateways.length)] ?? '';
    const renewed = await callGateway({
      ...{ gateway, path: '/v1/renew', body, answer: renewAnswer, localAddress },
      tls: {
        kind: 'agent',
        authorities: anchorsOf(state.identity, authorities()),
        certificate,
        key,
      },
    });
    crashAt('before-renewed');
    if (this.#isStopped) return;
    state.renewed(renewed.certificate, crashAt);
    log.info({}, 'the certificate was renewed');
  }
}
