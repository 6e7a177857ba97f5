import type { AgentDeps } from '../../agent/agent.ts';
import { Connection } from '../../agent/connection.ts';
import type { Identity } from '../../agent/identity-files.ts';
import type { Link } from '../../agent/output-spool.ts';
import { StartLease } from '../../agent/start-lease.ts';
import { protocolVersion } from '../../contracts/frames.ts';
import type { JobLog } from './job-log.ts';
import type { FleetAgent } from './simulated-agent.ts';
import { type Behaviour, instantReport } from './simulated-executor.ts';

type LinkAgentDeps = AgentDeps & {
  readonly identity: Identity;
  readonly behaviour: Behaviour;
  readonly jobLog: JobLog;
};

/**
 * The agent's link and lease alone: every dispatch is answered at once as a job that ended. It
 * checks nothing, journals nothing and never is what a user should run: it measures the wire.
 */
export function linkAgent(deps: LinkAgentDeps): FleetAgent {
  const { identity, behaviour, jobLog, clock } = deps;
  const lease = new StartLease(clock);
  const done = new Set<string>();
  let link: Link | undefined;
  const connection = new Connection({
    ...deps,
    authorities: () => [],
    hello: () => ({
      type: 'hello',
      protocol: protocolVersion,
      agentId: identity.agentId,
      journalId: identity.journalId,
      sequence: 0,
      version: 'bench',
      bootId: deps.processes.bootId(),
    }),
    onWelcome(opened, welcome) {
      link = opened;
      lease.begin({
        ...welcome,
        send: (frame) => opened.send(frame),
        sequence: () => 0,
        onSilent: () => connection.drop('the gateway is silent'),
      });
    },
    onFrame(frame) {
      if (frame.type === 'pong') {
        lease.onPong(frame);
        for (const jobId of frame.stored ?? []) jobLog.stored(jobId);
      } else if (frame.type === 'dispatch') {
        if (!done.has(frame.jobId)) jobLog.started(frame.jobId);
        done.add(frame.jobId);
        const report = instantReport(frame.jobId, { behaviour, now: clock.now() });
        link?.send({ type: 'result', jobId: frame.jobId, report });
      } else if (frame.type === 'stored') jobLog.stored(frame.jobId);
    },
    onClose: () => lease.end(),
  });
  return {
    get isConnected() {
      return connection.isOpen;
    },
    start: async () => connection.start(),
    stop: () => connection.stop(),
  };
}
