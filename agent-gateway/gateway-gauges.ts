import { X509Certificate } from 'node:crypto';
import { Outbox } from '../redis/outbox.ts';
import { Tasks } from '../redis/tasks.ts';
import type { CertificateFolder } from './certificate-folder.ts';
import type { ClockWatch } from './clock-watch.ts';
import type { ControlGate } from './control-gate.ts';
import { registerGauges } from './gateway-metrics.ts';
import type { GatewayOptions } from './gateway-options.ts';
import type { Inventory } from './inventory.ts';
import type { SessionRegistry } from './session-registry.ts';

/** What a gateway is at a scrape. Asked by the connection that fails at once: a scrape does not wait for Redis. */
export function registerGatewayGauges(
  { metrics, redis, gatewayId, clock }: GatewayOptions,
  parts: {
    readonly registry: SessionRegistry;
    readonly inventory: Inventory;
    readonly gate: ControlGate;
    readonly clockWatch: ClockWatch;
    readonly certificates: CertificateFolder;
  },
): void {
  const { request, blocking } = redis;
  const own = () => parts.certificates.current.own.certificate;
  registerGauges(metrics, {
    agentsConnected: () => parts.registry.size,
    agentsEnrolled: () => parts.inventory.all().length,
    isStopped: () => parts.gate.control !== 'allowed',
    stops: () => parts.gate.stops,
    tasksOpen: () => new Tasks(request).openCount(),
    oldestCallback: () => new Outbox({ redis: request, blocking, gatewayId }).oldest(),
    // Another one may have been put in its place.
    certificateEndsAt: () => new X509Certificate(own()).validToDate.getTime(),
    now: () => clock.now(),
    clockAheadMs: () => parts.clockWatch.aheadMs,
  });
}
