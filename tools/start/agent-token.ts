import { writeFileSync } from 'node:fs';
import { agentTokenAnswer } from '../../contracts/enrolment.ts';
import type { Clock } from '../../platform/clock.ts';
import { StartFailure } from './failure.ts';
import type { LocalAgent } from './identities.ts';

const ttlMs = 600_000;
const retryMs = 100;

/**
 * Asks the gateway for the token of a local agent, as an operator would, and writes it to `file`.
 * Waits for a gateway that is still starting; throws a `StartFailure` when none comes.
 */
export async function provideAgentToken(of: {
  readonly agent: LocalAgent;
  readonly gatewayUrl: string;
  readonly operatorToken: string;
  readonly file: string;
  readonly withinMs: number;
  readonly clock: Clock;
}): Promise<void> {
  const { agent, clock } = of;
  const until = clock.monotonic() + of.withinMs;
  // The name may be that of an agent whose certificate ran out: that one is enrolled no more.
  const body = { ttlMs, name: agent.name, labels: agent.labels, replace: true };
  for (;;) {
    try {
      const answer = await fetch(`${of.gatewayUrl}/v1/agent-tokens`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${of.operatorToken}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(5_000),
      });
      const { token } = agentTokenAnswer.parse(await answer.json());
      writeFileSync(of.file, token, { mode: 0o600 });
      return;
    } catch (error) {
      if (clock.monotonic() > until) {
        throw new StartFailure(
          `the gateway makes no token for ${agent.name}: ${error instanceof Error ? error.message : error}`,
          'look into the gateway’s log; then npm start again',
        );
      }
      await clock.sleep(retryMs);
    }
  }
}
