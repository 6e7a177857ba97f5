import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import type { GatewayHost } from './gateway-host.ts';
import { SupervisedAgent } from './supervised-agent.ts';
import { SupervisedGateway } from './supervised-gateway.ts';

/** Deaths and restarts on a busy machine: an agent that met nobody tries again after 0.5 s, 1 s, … 16 s. */
export const patient = { withinMs: 90_000, everyMs: 50 };

/** A gateway and hosts of its own: nobody else passes the point at which it is to die. */
export class EnrolmentSite {
  readonly host: GatewayHost;
  readonly gateway: SupervisedGateway;

  private constructor(host: GatewayHost, gateway: SupervisedGateway) {
    this.host = host;
    this.gateway = gateway;
  }

  static async start(host: GatewayHost, gatewayId: string): Promise<EnrolmentSite> {
    // At half of it comes a renewal; a gateway that dies meanwhile must be back before its end, because
    // nobody renews what has run out. On a busy machine that takes more than 5 s.
    const clocks = { certificateLife: '20s' };
    return new EnrolmentSite(host, await SupervisedGateway.start(host, { gatewayId, clocks }));
  }

  stop(): Promise<void> {
    return this.gateway.stop();
  }

  /** A fresh host of that name, whose agent dies once at each of `points`. */
  async enrols(name: string, ...points: readonly string[]): Promise<SupervisedAgent> {
    const { text } = await eventually(() => this.gateway.token({ name }), patient);
    return SupervisedAgent.start(text, ...points);
  }

  /** Ids that the register ever had under the name, revoked ones too. */
  idsOf(name: string): readonly string[] {
    return this.#records().flatMap((each) => (each.name === name ? [each.agentId] : []));
  }

  /** How often the agent was renewed by the register. */
  generationOf(agentId: string): number | undefined {
    return this.#records().findLast((each) => each.agentId === agentId)?.generation;
  }

  #records(): readonly { agentId: string; name?: string; generation?: number }[] {
    return readFileSync(join(this.host.directory, 'issued.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  /** Resolves once the agent of that name has a session and is not locked. */
  isOnline(name: string): Promise<void> {
    return eventually(async () => {
      const { state, lock } = await this.gateway.agent(name);
      assert.deepEqual([state, lock], ['online', null]);
    }, patient);
  }
}

/** Resolves once one of ours has died at the point. */
export const isDead = (
  { process }: Pick<SupervisedAgent | SupervisedGateway, 'process'>,
  point: string,
): Promise<void> =>
  eventually(() => assert.ok(process.hasDied(point), `it did not die ${point}`), patient);

/** How often the certificate on disk was renewed. */
export function generationOf(agent: SupervisedAgent): number {
  const names = new X509Certificate(agent.read('identity.crt') ?? '').subjectAltName ?? '';
  return Number(/generation\?n=(\d+)/.exec(names)?.[1]);
}
