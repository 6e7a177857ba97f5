import type { Session } from './session.ts';

const replacedRetryMs = 1_000;

/** The live sessions of this gateway, at most one per agent: the newest wins. */
export class SessionRegistry {
  readonly #byAgent = new Map<string, Session>();

  /** Takes a session in; an older one of the same agent is told so and closed. */
  add(session: Session): void {
    const before = this.#byAgent.get(session.agentId);
    this.#byAgent.set(session.agentId, session);
    before?.end('replaced', replacedRetryMs);
  }

  /** Lets a session go; one that was replaced before is not there any more, which is fine. */
  remove(session: Session): void {
    if (this.#byAgent.get(session.agentId) === session) this.#byAgent.delete(session.agentId);
  }

  /** The agent's newest session is elsewhere: the one here, if it is not that one, is over. */
  replaced(of: { readonly agentId: string; readonly sessionId: string }): void {
    const session = this.#byAgent.get(of.agentId);
    if (session?.sessionId !== of.sessionId) session?.end('replaced', replacedRetryMs);
  }

  get(agentId: string): Session | undefined {
    return this.#byAgent.get(agentId);
  }

  all(): readonly Session[] {
    return [...this.#byAgent.values()];
  }

  get size(): number {
    return this.#byAgent.size;
  }
}
