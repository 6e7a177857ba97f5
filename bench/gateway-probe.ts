// Loaded before the gateway (`node --import`): tells its parent, on request, what only the process
// itself can know. Costs it nothing while it is not asked.

import { readdirSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';

export type ProbeOrder =
  | { readonly kind: 'figures' }
  /** Event-loop delay counts anew from here. */
  | { readonly kind: 'reset' }
  | { readonly kind: 'profile-start' }
  | { readonly kind: 'profile-stop'; readonly file: string };

export type ProbeFigures = {
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly cpuMs: number;
  readonly loopDelayMaxMs: number;
  readonly loopDelayP99Ms: number;
  readonly descriptors: number;
  /** What the event loop holds, by kind: timers, sockets and so on. */
  readonly resources: Readonly<Record<string, number>>;
};

const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
let session: Session | undefined;

function figures(): ProbeFigures {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  return {
    residentBytes: rss,
    heapBytes: heapUsed,
    cpuMs: (user + system) / 1_000,
    loopDelayMaxMs: delay.max / 1e6,
    loopDelayP99Ms: delay.percentile(99) / 1e6,
    descriptors: readdirSync('/proc/self/fd').length,
    resources,
  };
}

async function startProfile(): Promise<void> {
  session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.start');
}

async function stopProfile(file: string): Promise<void> {
  const result = await session?.post('Profiler.stop');
  session?.disconnect();
  session = undefined;
  writeFileSync(file, JSON.stringify(result?.profile));
}

async function answerTo(order: ProbeOrder): Promise<ProbeFigures> {
  if (order.kind === 'profile-start') await startProfile();
  if (order.kind === 'profile-stop') await stopProfile(order.file);
  const answer = figures();
  if (order.kind === 'reset') delay.reset();
  return answer;
}

process.on('message', ({ id, order }: { id: number; order: ProbeOrder }) => {
  answerTo(order).then(
    (answer) => process.send?.({ id, answer }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  );
});
// Listening must not keep the gateway alive.
process.channel?.unref();
