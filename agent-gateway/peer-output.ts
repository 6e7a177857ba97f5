import { limits } from '../contracts/limits.ts';
import { egressRefusal } from '../domain/egress.ts';
import { FixpointError } from '../domain/errors.ts';
import { partsOfJobId } from '../domain/ids.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { HostOutput, OutputRange } from './output-gets.ts';
import { peerAuthorization } from './peer-signature.ts';

export type PeerOutputDeps = {
  /** The gateways that hold the agents' newest sessions, by position. */
  readonly owners: (
    agentIds: readonly string[],
  ) => Promise<readonly ({ readonly gatewayId: string } | null)[]>;
  /** Where the APIs are of those gateways that live. */
  readonly alive: (gatewayIds: readonly string[]) => Promise<ReadonlyMap<string, string>>;
  readonly gatewayId: string;
  /** Those that every gateway takes; the first signs. */
  readonly tokens: readonly string[];
  readonly egressAllow: readonly string[];
  readonly outputGetMs: number;
  readonly clock: Clock;
  readonly log: Log;
};

/** Names the gateway that asks for another one's reader; who is asked so asks nobody further. */
export const forwardedHeader = 'fixpoint-forwarded-by';

/** More than the other gateway's own time for its agent. */
const hopMs = 1_000;

const kinds: Readonly<Record<number, Exclude<HostOutput['kind'], 'piece'>>> = {
  // A gateway of before knows of bearer tokens only.
  401: 'too_old',
  403: 'refused',
  404: 'gone',
  410: 'gone',
  415: 'too_old',
  429: 'busy',
  503: 'offline',
  504: 'silent',
};

/**
 * Asks for output by the gateway that has the agent, where that is another one. Where that gateway
 * is says Redis, and who writes there may be anyone: so it is sent no token, but a signature of no use
 * elsewhere, and no more of its answer is read than was asked for.
 */
export class PeerOutput {
  readonly #deps: PeerOutputDeps;
  #underWay = 0;

  constructor(deps: PeerOutputDeps) {
    this.#deps = deps;
  }

  /** Never rejects. `offline` if no other gateway has the agent, or that one cannot be reached. */
  async ask(agentId: string, range: OutputRange): Promise<HostOutput> {
    if (this.#underWay >= limits.outputForwardsMax) return { kind: 'busy' };
    this.#underWay += 1;
    try {
      const url = await this.#urlOf(agentId);
      return url === null ? { kind: 'offline' } : await this.#askAt(new URL(url), agentId, range);
    } catch (error) {
      this.#deps.log.warn({ error, agentId }, 'another gateway was asked for output in vain');
      return { kind: 'offline' };
    } finally {
      this.#underWay -= 1;
    }
  }

  async #urlOf(agentId: string): Promise<string | null> {
    const { owners, alive, gatewayId } = this.#deps;
    const [owner] = await owners([agentId]);
    if (!owner || owner.gatewayId === gatewayId) return null;
    return (await alive([owner.gatewayId])).get(owner.gatewayId) ?? null;
  }

  async #askAt(url: URL, agentId: string, range: OutputRange): Promise<HostOutput> {
    const { tokens, egressAllow, log } = this.#deps;
    const [token] = tokens;
    if (token === undefined) return { kind: 'offline' };
    const refusal = egressRefusal(url, egressAllow);
    if (refusal !== null) {
      log.warn({ agentId, ...refusal }, 'the gateway that has the agent is not asked for output');
      return { kind: 'refused' };
    }
    const taskId = partsOfJobId(range.jobId)?.taskId ?? '';
    const { stream, offset, limit } = range;
    const path = `/v1/tasks/${taskId}/jobs/${agentId}/output`;
    const question = new URL(`${path}?stream=${stream}&offset=${offset}&limit=${limit}`, url);
    const answer = await this.#get(question, { token, bytesMax: limit });
    if (answer.kind === 'refused') {
      const why = 'another gateway refuses this one: their tokens or their clocks differ';
      log.warn({ agentId, host: url.host }, why);
    }
    return answer;
  }

  async #get(
    url: URL,
    { token, bytesMax }: { readonly token: string; readonly bytesMax: number },
  ): Promise<HostOutput> {
    const { gatewayId: from, outputGetMs, clock } = this.#deps;
    const request = { method: 'GET', origin: url.origin, path: url.pathname + url.search, from };
    const late = new AbortController();
    const timer = clock.after(outputGetMs + hopMs, () => late.abort());
    try {
      const response = await fetch(url, {
        headers: {
          accept: 'application/octet-stream',
          authorization: peerAuthorization(request, { token, now: clock.now() }),
          [forwardedHeader]: from,
        },
        redirect: 'error',
        signal: late.signal,
      });
      return await outputIn(response, bytesMax);
    } catch (error) {
      if (late.signal.aborted) return { kind: 'silent' };
      throw error;
    } finally {
      timer.cancel();
    }
  }
}

async function outputIn(response: Response, bytesMax: number): Promise<HostOutput> {
  const total = response.headers.get('fixpoint-output-total');
  if (!response.ok || total === null) {
    await response.body?.cancel();
    // A gateway of before knows nothing of hosts that are asked.
    return { kind: response.ok ? 'too_old' : (kinds[response.status] ?? 'offline') };
  }
  const data = await bodyOf(response, bytesMax);
  if (data === null || !/^\d{1,15}$/.test(total)) {
    throw new FixpointError('upstream_unavailable', 'its answer is none to what it was asked');
  }
  return { kind: 'piece', data, total: Number(total) };
}

/** The body, or null if there is more of it than may be; the rest is not read. */
async function bodyOf(response: Response, bytesMax: number): Promise<Buffer | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > bytesMax) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
