import { join } from 'node:path';
import type { Trust } from '../platform/trust-bundle.ts';
import { AgentTokens } from '../redis/agent-tokens.ts';
import { peerOf } from './agent-listener.ts';
import { CertificateFolder, type GatewayCertificates } from './certificate-folder.ts';
import type { ControlGate } from './control-gate.ts';
import { Enrolment } from './enrolment.ts';
import { EnrolmentRoutes } from './enrolment-routes.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import type { GatewayOptions } from './gateway-options.ts';
import { IssueRegister } from './issue-register.ts';
import { RegisterCompaction } from './register-compaction.ts';

/**
 * The parts by which hosts become agents, put together. `ownAddress` stands in tokens where no
 * address was configured, and gets its port when the gateway listens.
 */
export function enrolmentDoor(
  of: GatewayOptions,
  parts: {
    readonly gate: ControlGate;
    readonly metrics: GatewayMetrics;
    /** The bundle that goes to every agent. */
    readonly trust: () => Trust | null;
  },
) {
  const { clock, log, audit, agentGateways, crash } = of;
  const { gate, metrics, trust } = parts;
  const ownAddress = { ...of.agents };
  const certificates = new CertificateFolder({ directory: of.certificatesDir, clock, log });
  const register = new IssueRegister({ file: join(of.certificatesDir, 'issued.jsonl'), clock });
  const enrolment = new Enrolment({
    ...{ register, certificates, gate, trust, audit, crash, clock, log },
    tokens: new AgentTokens(of.redis.request),
    agentGateways: () =>
      agentGateways.length > 0 ? agentGateways : [`wss://${ownAddress.host}:${ownAddress.port}`],
    certificateLifeMs: of.clocks.certificateLifeMs,
  });
  const routes = new EnrolmentRoutes({
    ...{ enrolment, certificates, metrics, clock, log },
    trust: () => trust()?.envelope ?? null,
    peerOf: (socket) => peerOf(socket, clock),
  });
  const { gatewayLookMs } = of.clocks;
  const compaction = new RegisterCompaction({
    ...{ register, certificates, gatewayLookMs, crash, clock, log },
  });
  return {
    ...{ certificates, register, enrolment, routes, ownAddress },
    async start(onChange: (certificates: GatewayCertificates) => void) {
      await certificates.start(onChange);
      compaction.start();
    },
    stop: () => Promise.all([certificates.stop(), compaction.stop()]),
  };
}
