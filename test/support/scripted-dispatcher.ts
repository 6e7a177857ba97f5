import { Dispatcher } from '../../agent-gateway/dispatch.ts';
import { Turns } from '../../agent-gateway/turns.ts';
import { noCrashPoints } from '../../platform/crash-point.ts';
import { silentLog } from '../../platform/log.ts';
import { ManualClock } from './manual-clock.ts';

/** What a dispatcher does with the link of an agent that has one job. */
type Link = {
  readonly give: (agentId: string, onHeard: () => void) => void;
  readonly release?: (agentId: string) => void;
};

/** A dispatcher with a task for so many agents, all of them here, whose jobs may all be sent. */
export function scriptedDispatcher(of: {
  readonly agents: number;
  readonly link: Link;
  readonly policy?: string;
  readonly gate?: { readonly control: string; isPolicyStopped(policy: string): boolean };
  readonly unheardJobsMax?: number | undefined;
}): Dispatcher {
  const { link, policy = null, unheardJobsMax } = of;
  const sessionOf = (agentId: string) => ({
    ...{ agentId, isReady: true, reserve: () => true, cancel: () => {} },
    release: () => link.release?.(agentId),
    give: ({ onHeard }: { readonly onHeard: () => void }) => link.give(agentId, onHeard),
  });
  const sessions = new Map(
    Array.from({ length: of.agents }, (_, at) => [`a${at}`, sessionOf(`a${at}`)]),
  );
  const body = { policy, agentIds: [...sessions.keys()], dispatchText: () => 'a job' };
  const clock = new ManualClock();
  return new Dispatcher({
    registry: { get: (id: string) => sessions.get(id), all: () => [...sessions.values()] },
    gate: of.gate ?? { control: 'allowed', isPolicyStopped: () => false },
    ...{ isHostStopped: () => false, bodies: { body: async () => body }, turns: new Turns(clock) },
    jobs: {
      pendingOf: async () => [],
      markDispatched: async ({ agentIds }: { readonly agentIds: readonly string[] }) => ({
        ...{ createdAt: 1, cancel: null },
        jobs: agentIds.map(() => ({ kind: 'send', have: { stdout: 0, stderr: 0 } })),
      }),
      forget: async () => {},
    },
    ...{ tasks: { cancelReason: async () => null }, crash: noCrashPoints, clock, log: silentLog },
    ...(unheardJobsMax === undefined ? {} : { unheardJobsMax }),
  } as unknown as ConstructorParameters<typeof Dispatcher>[0]); // Sessions are large; it uses five of their words.
}
