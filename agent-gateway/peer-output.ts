import { limits } from '../contracts/limits.ts';
import { partsOfJobId } from '../domain/ids.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { HostOutput, OutputRange } from './output-gets.ts';

export type PeerOutputDeps = {
  /** The gateways that hold the agents' newest sessions, by position. */
  readonly owners: (
    agentIds: readonly string[],
  ) => Promise<readonly ({ readonly gatewayId: string } | null)[]>;
  /** Where the APIs are of those gateways that live. */
  readonly alive: (gatewayIds: readonly string[]) => Promise<ReadonlyMap<string, string>>;
  readonly gatewayId: string;
  /** One of the tokens that every gateway takes. */
  readonly token: string;
  readonly outputGetMs: number;
  readonly clock: Clock;
  readonly log: Log;
};

/** Names the gateway that asks for another one's reader; who is asked so asks nobody further. */
export const forwardedHeader = 'fixpoint-forwarded-by';

/** More than the other gateway's own time for its agent. */
const hopMs = 1_000;

const kinds: Readonly<Record<number, Exclude<HostOutput['kind'], 'piece'>>> = {
  404: 'gone',
  410: 'gone',
  415: 'too_old',
  429: 'busy',
  503: 'offline',
  504: 'silent',
};

/** Asks for output by the gateway that has the agent, where that is another one. */
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
      return url === null ? { kind: 'offline' } : await this.#get(url, agentId, range);
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

  async #get(url: string, agentId: string, range: OutputRange): Promise<HostOutput> {
    const { gatewayId, token, outputGetMs, clock } = this.#deps;
    const { stream, offset, limit } = range;
    const taskId = partsOfJobId(range.jobId)?.taskId ?? '';
    const path = `/v1/tasks/${taskId}/jobs/${agentId}/output`;
    const late = new AbortController();
    const timer = clock.after(outputGetMs + hopMs, () => late.abort());
    try {
      const response = await fetch(
        new URL(`${path}?stream=${stream}&offset=${offset}&limit=${limit}`, url),
        {
          headers: {
            ...{ accept: 'application/octet-stream', authorization: `Bearer ${token}` },
            [forwardedHeader]: gatewayId,
          },
          redirect: 'error',
          signal: late.signal,
        },
      );
      const data = Buffer.from(await response.arrayBuffer());
      if (!response.ok) return { kind: kinds[response.status] ?? 'offline' };
      const total = response.headers.get('fixpoint-output-total');
      // A gateway of before knows nothing of hosts that are asked.
      return total === null ? { kind: 'too_old' } : { kind: 'piece', data, total: Number(total) };
    } catch (error) {
      if (late.signal.aborted) return { kind: 'silent' };
      throw error;
    } finally {
      timer.cancel();
    }
  }
}
