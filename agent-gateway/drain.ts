import { limits } from '../contracts/limits.ts';
import type { Clock } from '../platform/clock.ts';
import type { Session } from './session.ts';

// 200 handshakes a second are what a gateway takes with both ends busy (performance 3.1).
const handshakeMs = 5;
const retryFloorMs = 500;

/**
 * Sends agents away to the other gateways, in steps over `drainMs`; a few go at once. Each is told
 * a time of its own to come back at, so that those who take them in are not run over. Resolves when
 * the last was told.
 */
export async function drain(of: {
  readonly sessions: readonly Session[];
  readonly drainMs: number;
  readonly clock: Clock;
}): Promise<void> {
  const { sessions, clock } = of;
  const spreadMs = sessions.length * handshakeMs;
  const pauseMs = of.drainMs / Math.ceil(sessions.length / limits.sliceJobsMax);
  for (let from = 0; from < sessions.length; from += limits.sliceJobsMax) {
    if (from > 0) await clock.sleep(pauseMs);
    for (const session of sessions.slice(from, from + limits.sliceJobsMax)) {
      session.end('draining', retryFloorMs + Math.round(clock.random() * spreadMs));
    }
  }
}
