import { setTimeout } from 'node:timers/promises';
import type { GatewayHost } from './gateway-host.ts';

/** Redis answers nothing for `ms`, its connections stay open; that long is what is being tested. */
export async function hang(host: GatewayHost, ms: number): Promise<void> {
  host.redisServer.pause();
  await setTimeout(ms);
  host.redisServer.resume();
}
