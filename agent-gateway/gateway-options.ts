import type { Redis } from 'ioredis';
import type { Clocks } from '../contracts/limits.ts';
import type { AuditLog } from '../platform/audit.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';

type Listen = { readonly host: string; readonly port: number };

/** What a gateway stands on. Redis connections are the caller's, who closes them after `stop`. */
export type GatewayOptions = {
  /**
   * `request` fails at once, `background` waits, `blocking` is for blocking reads alone and
   * `subscriber` for channels alone.
   */
  readonly redis: {
    readonly request: Redis;
    readonly background: Redis;
    readonly blocking: Redis;
    readonly subscriber: Redis;
  };
  /** No two gateways on one Redis may have the same. */
  readonly gatewayId: string;
  /** Where the others and the workers reach the API of this one. */
  readonly url: string;
  readonly agents: Listen;
  readonly http: Listen;
  /** Where agents reach the gateways, for enrolment tokens; none: this gateway's own address. */
  readonly agentGateways: readonly string[];
  /** ca.crt, gateway.crt, gateway.key, the issue register, trust.json; with ca.key it enrols agents. */
  readonly certificatesDir: string;
  /** Workers' and operators'. */
  readonly tokens: readonly string[];
  /** Of those who only look: they read, and send nothing to hosts. */
  readonly readTokens: readonly string[];
  /** Who may make a host an agent. */
  readonly operators: readonly { readonly name: string; readonly token: string }[];
  readonly audit: AuditLog;
  /** Signs callbacks; base64, with or without `whsec_`. */
  readonly callbackSecret: string;
  readonly egressAllow: readonly string[];
  readonly clocks: Clocks;
  readonly metrics: Metrics;
  readonly crash: CrashPoints<'gateway'>;
  readonly clock: Clock;
  readonly log: Log;
};
