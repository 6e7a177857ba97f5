import type { z } from 'zod';
import type {
  AgentTokenBody,
  EnrolAnswer,
  enrolBody,
  renewAnswer,
  renewBody,
} from '../contracts/enrolment.ts';
import { encodeAgentToken } from '../contracts/enrolment.ts';
import { FixpointError } from '../domain/errors.ts';
import { agentIdFrom } from '../domain/ids.ts';
import type { AuditLog } from '../platform/audit.ts';
import { type KeyPair, signCertificate } from '../platform/authority.ts';
import type { Clock } from '../platform/clock.ts';
import type { CrashPoints } from '../platform/crash-point.ts';
import { fingerprintOf, sha256Hex } from '../platform/digest.ts';
import type { Log } from '../platform/log.ts';
import type { Trust } from '../platform/trust-bundle.ts';
import type { CertificateFolder } from './certificate-folder.ts';
import { type RequestedKey, requestedKey } from './certificates.ts';
import type { ControlGate } from './control-gate.ts';
import type { IssueRegister } from './issue-register.ts';
import type { RegisteredAgent, RegisterRecord } from './register-records.ts';

/** What a token gives to the host that uses it. */
type Grant = {
  /** What the host is called, or with `isPrefix` how its name begins. */
  readonly name: string;
  readonly isPrefix: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly replace: boolean;
};

export type EnrolmentDeps = {
  readonly register: IssueRegister;
  readonly certificates: Pick<CertificateFolder, 'current'>;
  readonly tokens: {
    create(of: { digest: string; grant: Grant; uses: number; ttlMs: number }): Promise<void>;
    use(digest: string): Promise<{ kind: 'granted'; grant: Grant } | { kind: 'spent' | 'unknown' }>;
    giveBack(digest: string): Promise<void>;
  };
  readonly gate: Pick<ControlGate, 'lockOf' | 'wishLock'>;
  readonly audit: AuditLog;
  /** The bundle that goes to every agent; null while there is none. */
  readonly trust: () => Trust | null;
  /** Where agents reach the gateways, for tokens. */
  readonly agentGateways: () => readonly string[];
  readonly certificateLifeMs: number;
  readonly crash: CrashPoints<'gateway'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** Who is at the other end of a link, by its certificate. */
export type Peer = {
  readonly agentId: string;
  readonly generation: number;
  /** Unix milliseconds. */
  readonly certificateEndsAt: number;
};

/**
 * How a host becomes an agent and stays one (security 4). Names and labels come from the token,
 * which an operator made; the host gives a key and its journal's id, nothing else.
 */
export class Enrolment {
  readonly #deps: EnrolmentDeps;

  constructor(deps: EnrolmentDeps) {
    this.#deps = deps;
  }

  /**
   * A token for so many hosts. It is told here and never again: only its digest is kept. Throws
   * `conflict` for a name that is taken, `upstream_unavailable` while there is no trust bundle.
   */
  async createToken(body: AgentTokenBody, actor: string) {
    const { clock, certificates, tokens, agentGateways } = this.#deps;
    const { root: trust } = this.#trust();
    const isPrefix = body.uses > 1 || body.name === undefined;
    const { uses, ttlMs, labels, replace } = body;
    if (body.name !== undefined && !isPrefix && !replace) this.#requireFree(body.name);
    const secret = Buffer.from(clock.randomBytes(24)).toString('base64url');
    const grant = { name: body.name ?? 'agent', isPrefix, labels, replace };
    await tokens.create({ digest: sha256Hex(secret), grant, uses, ttlMs });
    this.#deps.crash('after-token');
    await this.#record('agent.token_created', actor, grant.name, {
      ...{ uses, ttlMs, labels, replace, claimedBy: body.operator_name ?? null },
      token: idOf(secret),
    });
    const authorities = certificates.current.authorities.map(fingerprintOf);
    const token = encodeAgentToken({
      ...{ gateways: [...agentGateways()], authorities, trust, secret },
    });
    return { token, expiresAt: clock.now() + ttlMs, uses };
  }

  /**
   * Makes a host an agent, with a new id every time (rule R16). Throws `invalid_payload` for its
   * request, `unauthenticated` for a token that is unknown or expired, `gone` for one that was
   * used up, `conflict` for a name that is taken. What is refused of a token that was made here is
   * audited; the rest is only counted, because anybody can send it. A refusal that is not the
   * token's fault gives the use back, unless an agent may stand in the register for it: then the
   * token would make two.
   */
  async enrol(body: z.output<typeof enrolBody>, from: string): Promise<EnrolAnswer> {
    const { tokens, crash } = this.#deps;
    const digest = sha256Hex(body.secret);
    const issuer = this.#issuer();
    const key = await requestedKey(body.request);
    crash('before-use');
    const used = await tokens.use(digest);
    if (used.kind === 'unknown') throw unusable(used.kind);
    let mayStand = false;
    const onMayStand = () => {
      mayStand = true;
    };
    try {
      if (used.kind !== 'granted') throw unusable(used.kind);
      crash('after-use');
      const { journalId } = body;
      return await this.#issue({ grant: used.grant, key, issuer, journalId, from, onMayStand });
    } catch (error) {
      if (used.kind === 'granted' && !mayStand) {
        crash('before-return');
        await tokens.giveBack(digest);
        crash('after-return');
      }
      const reason = error instanceof FixpointError ? error.code : 'internal';
      await this.#record('agent.enrolment_refused', from, idOf(body.secret), { reason });
      throw error;
    }
  }

  /**
   * A new certificate for a new key, one generation on. The one before may ask again with the key
   * it was answered for, because it may never have heard the answer. A certificate that is older
   * than that, or comes with another key, is a copy's: the agent is locked (security T3).
   */
  async renew(body: z.output<typeof renewBody>, peer: Peer): Promise<z.output<typeof renewAnswer>> {
    const issuer = this.#issuer();
    const key = await requestedKey(body.request);
    const outcome: { certificate?: string; isCopy?: boolean } = {};
    this.#deps.crash('before-renewal');
    await this.#deps.register.append(async (agents) => {
      const agent = this.#enrolled(agents, peer);
      const isRepeat = agent.generation === peer.generation + 1 && agent.keyDigest === key.digest;
      if (agent.generation !== peer.generation && !isRepeat) {
        outcome.isCopy = true;
        return [];
      }
      const generation = peer.generation + 1;
      const issued = await this.#sign({ agent, key, issuer, generation });
      outcome.certificate = issued.certificate;
      return [{ kind: 'renewal', ...issued.record }];
    });
    if (outcome.certificate !== undefined) {
      this.#deps.crash('after-renewal');
      return { certificate: outcome.certificate };
    }
    await this.#deps.gate.wishLock(peer.agentId, 'cloned');
    throw new FixpointError('forbidden', 'this certificate was renewed before, with another key', {
      hint: 'the host, or its disk, exists twice; the agent is locked. Enrol both hosts anew',
    });
  }

  #enrolled(agents: ReadonlyMap<string, RegisteredAgent>, { agentId }: Peer): RegisteredAgent {
    const agent = agents.get(agentId);
    if (agent === undefined) throw new FixpointError('forbidden', 'this agent is not enrolled');
    if (this.#deps.gate.lockOf(agentId) === null) return agent;
    throw new FixpointError('forbidden', 'this agent is locked');
  }

  async #issue(of: {
    readonly grant: Grant;
    readonly key: RequestedKey;
    readonly issuer: KeyPair;
    readonly journalId: string;
    readonly from: string;
    readonly onMayStand: () => void;
  }): Promise<EnrolAnswer> {
    const { register, clock } = this.#deps;
    const { grant, journalId, key, issuer } = of;
    const agentId = agentIdFrom(clock.randomBytes(8));
    const name = grant.isPrefix ? `${grant.name}-${agentId.slice(0, 6)}` : grant.name;
    const labels = { hostname: name, ...grant.labels, name };
    let certificate = '';
    await register.append(async (agents) => {
      requireNew(agents, { agentId, journalId });
      const before = [...agents.values()].find((agent) => agent.name === name);
      if (before !== undefined && !grant.replace) throw taken(name);
      const issued = await this.#sign({ agent: { agentId, labels }, key, issuer, generation: 0 });
      certificate = issued.certificate;
      const revoked: RegisterRecord[] =
        before === undefined
          ? []
          : [
              {
                ...{ kind: 'revocation', agentId: before.agentId },
                ...{ at: clock.now(), reason: `replaced by ${agentId}` },
              },
            ];
      return [...revoked, { kind: 'issue', ...issued.record, name, labels, journalId }];
    }, of.onMayStand);
    this.#deps.crash('after-register');
    await this.#record('agent.enrolled', of.from, agentId, { name, labels, key: key.digest });
    this.#deps.crash('after-enrolled');
    this.#deps.log.info({ agentId, name }, 'an agent was enrolled');
    return { agentId, name, certificate };
  }

  async #sign(of: {
    readonly agent: Pick<RegisteredAgent, 'agentId' | 'labels'>;
    readonly key: RequestedKey;
    readonly issuer: KeyPair;
    readonly generation: number;
  }) {
    const { clock, certificateLifeMs: lifeMs } = this.#deps;
    const { agent, key, issuer, generation } = of;
    const { agentId, labels } = agent;
    const { certificate, serial, notAfter } = await signCertificate({
      ...{ authority: issuer, publicKey: key.publicKey, lifeMs, clock },
      subject: { kind: 'agent', agentId, labels, generation },
    });
    const record = {
      ...{ agentId, serial, issuedAt: clock.now(), notAfter, generation },
      ...{ keyDigest: key.digest, authority: fingerprintOf(issuer.certificate) },
    };
    return { certificate, record };
  }

  #issuer(): KeyPair {
    const { issuer } = this.#deps.certificates.current;
    if (issuer !== null) return issuer;
    throw new FixpointError(
      'upstream_unavailable',
      'this gateway has no ca.key and issues nothing',
      {
        hint: 'name a gateway that has it, or put ca.key into its FIXPOINT_CERTIFICATES_DIR',
      },
    );
  }

  #trust(): Trust {
    const trust = this.#deps.trust();
    if (trust !== null) return trust;
    throw new FixpointError('upstream_unavailable', 'this gateway has no trust.json', {
      hint: 'hosts would trust nobody; put trust.json into its FIXPOINT_CERTIFICATES_DIR: `fixpoint setup certificates` makes it',
    });
  }

  #requireFree(name: string): void {
    if ([...this.#deps.register.agents.values()].some((agent) => agent.name === name)) {
      throw taken(name);
    }
  }

  /** A record that cannot be written is an error in the log; what it is about happened. */
  async #record(
    kind: string,
    actor: string,
    object: string,
    detail: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    await this.#deps.audit
      .append({ kind, actor, object, detail })
      .catch((error: unknown) =>
        this.#deps.log.error({ error, kind }, 'an audit record was not written'),
      );
  }
}

/** What a token is called in the audit log: it tells tokens apart and opens nothing. */
const idOf = (secret: string): string => sha256Hex(secret).slice(0, 12);

function requireNew(
  agents: ReadonlyMap<string, RegisteredAgent>,
  of: { readonly agentId: string; readonly journalId: string },
): void {
  const isKnown = [...agents.values()].some(({ journalId }) => journalId === of.journalId);
  if (!isKnown && !agents.has(of.agentId)) return;
  throw new FixpointError('conflict', 'this journal belongs to an enrolled agent', {
    hint: 'the state folder is a copy of another host’s; begin with an empty one',
  });
}

const taken = (name: string): FixpointError =>
  new FixpointError('conflict', `an agent named ${name} is enrolled already`, {
    hint: 'give another name, or make the token with --replace if the host lost its state',
  });

const unusable = (kind: 'spent' | 'unknown'): FixpointError =>
  kind === 'spent'
    ? new FixpointError('gone', 'this token was used up', {
        hint: 'make another one; with --replace if an earlier try was cut off on its way back',
      })
    : new FixpointError('unauthenticated', 'this token is unknown or has expired', {
        hint: 'make another one with `fixpoint agent token create`',
      });
