import type { Redis } from 'ioredis';
import { z } from 'zod';
import { keys } from './keys.ts';
import { script } from './script.ts';
import { guarded } from './unavailable.ts';

const takeUse = script('agent-token-use');
const returnUse = script('agent-token-return');

const grant = z.object({
  /** What the host is called, or with `prefix` how its name begins. */
  name: z.string(),
  isPrefix: z.boolean(),
  labels: z.record(z.string(), z.string()),
  replace: z.boolean(),
});
/** What a token gives to the host that uses it. */
export type AgentGrant = z.infer<typeof grant>;

export type TokenUse =
  | { readonly kind: 'granted'; readonly grant: AgentGrant }
  | { readonly kind: 'spent' | 'unknown' };

/**
 * Enrolment tokens: of each only a digest is kept, for as long as it lives. Lost with Redis, after
 * which a new one is made. Rejects with `upstream_unavailable` only.
 */
export class AgentTokens {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async create(of: {
    readonly digest: string;
    readonly grant: AgentGrant;
    readonly uses: number;
    readonly ttlMs: number;
  }): Promise<void> {
    const key = keys.agentToken(of.digest);
    const fields = { uses: of.uses, grant: JSON.stringify(of.grant) };
    await guarded(() => this.#redis.multi().hset(key, fields).pexpire(key, of.ttlMs).exec());
  }

  /** Takes one use, or says why not. Of any number of calls at once only so many get one. */
  use(digest: string): Promise<TokenUse> {
    return guarded(async () => {
      const answer = await takeUse(this.#redis, [keys.agentToken(digest)], []);
      const [kind, text] = z.tuple([z.string()]).rest(z.string()).parse(answer);
      if (kind === 'granted') return { kind, grant: grant.parse(JSON.parse(text ?? '')) };
      return { kind: kind === 'spent' ? 'spent' : 'unknown' };
    });
  }

  /** Gives a use back that came to nothing. */
  async giveBack(digest: string): Promise<void> {
    await guarded(() => returnUse(this.#redis, [keys.agentToken(digest)], []));
  }
}
