import { createPrivateKey } from 'node:crypto';
import { certificateRequest } from '../../agent/certificate-request.ts';
import { newKey } from '../../agent/enrolment.ts';
import { type CallTls, callGateway } from '../../agent/gateway-call.ts';
import {
  type AgentToken,
  agentTokenAnswer,
  decodeAgentToken,
  enrolAnswer,
  renewAnswer,
} from '../../contracts/enrolment.ts';
import { journalIdFrom } from '../../domain/ids.ts';
import { systemClock } from '../../platform/clock.ts';
import type { AgentCredentials } from './fake-agent.ts';
import type { GatewayHost } from './gateway-host.ts';

/** A token as an operator makes one: the text, and what it holds. */
export async function aToken(
  host: GatewayHost,
  body: Readonly<Record<string, unknown>> = {},
): Promise<{ readonly text: string; readonly token: AgentToken }> {
  const answer = await host.call({ path: '/v1/agent-tokens', body: { ttlMs: 60_000, ...body } });
  const { token: text } = agentTokenAnswer.parse(answer.body);
  const token = decodeAgentToken(text);
  if (token === null) throw new Error('the gateway made a token that is none');
  return { text, token };
}

/** An agent's side of enrolment and renewal, with every part in the hand of the test. */
export class Enroller {
  readonly host: GatewayHost;
  readonly gateway: string;
  /** Unless a test says where from, every call comes from another address: each has its limit. */
  from: string | undefined;
  #calls = 0;

  constructor(host: GatewayHost) {
    this.host = host;
    this.gateway = `wss://127.0.0.1:${host.agentPort}`;
  }

  get #localAddress(): string {
    this.#calls += 1;
    return this.from ?? `127.0.${1 + Math.floor(this.#calls / 200)}.${1 + (this.#calls % 200)}`;
  }

  get #stranger(): CallTls {
    return { kind: 'stranger', authorities: [this.host.authority.certificate] };
  }

  enrol(token: AgentToken, over: { key?: string; request?: string; journalId?: string } = {}) {
    const key = over.key ?? newKey();
    const request = over.request ?? certificateRequest(createPrivateKey(key));
    const journalId = over.journalId ?? journalIdFrom(systemClock.randomBytes(17));
    return this.post('/v1/enrol', { secret: token.secret, request, journalId }).then((answer) => {
      const { agentId, name, certificate } = enrolAnswer.parse(answer);
      const ca = this.host.authority.certificate;
      return { agentId, name, journalId, ca, certificate, key };
    });
  }

  renew(of: AgentCredentials, key: string = newKey()) {
    const { certificate, key: own } = of;
    return callGateway({
      ...{ gateway: this.gateway, path: '/v1/renew', answer: renewAnswer },
      body: { request: certificateRequest(createPrivateKey(key)) },
      tls: { kind: 'agent', authorities: [of.ca], certificate, key: own },
    }).then((answer) => ({ ...of, certificate: answer.certificate, key }));
  }

  post(path: string, body: unknown): Promise<unknown> {
    const answer = enrolAnswer.or(renewAnswer);
    const { gateway } = this;
    const localAddress = this.#localAddress;
    return callGateway({ gateway, path, body, answer, localAddress, tls: this.#stranger });
  }
}
