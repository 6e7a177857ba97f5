import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { createAuthority, type KeyPair } from '../../agent-gateway/certificates.ts';
import type { JobReport } from '../../contracts/task.ts';
import { systemClock } from '../../platform/clock.ts';
import { crashPoints } from '../../platform/crash-point.ts';
import { AgentHost } from '../support/agent-host.ts';
import { eventually } from '../support/eventually.ts';
import { FakeGateway } from '../support/fake-gateway.ts';

type Point = keyof typeof crashPoints.agent;
type Outcome = { readonly reason: string | null; readonly starts: number };

const unknown: Outcome = { reason: 'agent_restarted', starts: 0 };
const itsOwnEnd: Outcome = { reason: 'exit_code', starts: 1 };
const cancelled: Outcome = { reason: 'operator', starts: 1 };

/** What a job is told to have done, and how often it started, if the agent dies at that record. */
const outcomes: Readonly<Record<Point, Outcome>> = {
  'before-intent': itsOwnEnd,
  'after-intent': unknown,
  'after-folder': unknown,
  'after-spawn': unknown,
  'after-started': unknown,
  'while-running': itsOwnEnd,
  'before-stop': cancelled,
  'after-stop': cancelled,
  'before-finished': itsOwnEnd,
  'after-finished': itsOwnEnd,
  'before-result': itsOwnEnd,
  'after-result': itsOwnEnd,
  'before-stored': itsOwnEnd,
  'after-stored': itsOwnEnd,
};

/** One agent that dies at `point`, its successor, and the same job sent to it again, twice. */
async function dieAt(point: Point, authority: KeyPair): Promise<Outcome> {
  const gateway = await FakeGateway.start(authority);
  const host = await AgentHost.create(authority);
  const armed = { FIXPOINT_CRASH_POINT: `${point}@${host.root}/crashed` };
  const isStopped = point.endsWith('-stop');
  const order = host.order(
    `echo ran >>"${host.evidence}"\nwhile [ ! -e "${host.root}/go" ]; do sleep 0.05; done\nexit 7\n`,
  );
  try {
    const first = host.spawn(gateway.url, armed);
    await gateway.connected();
    const jobId = gateway.dispatch(order);
    if (isStopped) {
      await eventually(() => assert.equal(host.starts(), 1));
      gateway.send({ type: 'cancel', jobId, reason: 'operator' });
    } else host.write('go', '');
    await endOf(first);
    assert.ok(existsSync(`${host.root}/crashed`), `it did not die at ${point}`);

    host.spawn(gateway.url, armed);
    await gateway.connected(2);
    const told = gateway.results.length;
    gateway.dispatch(order);
    // As a gateway does that was told nothing.
    if (isStopped) gateway.send({ type: 'cancel', jobId, reason: 'operator' });
    const reports = () => gateway.results.slice(told).map(({ report }) => report);
    await eventually(() => assert.notEqual(reports().length, 0), { withinMs: 30_000 });
    gateway.dispatch(order);
    await eventually(() => assert.ok(reports().length >= 2), { withinMs: 30_000 });

    const [report] = reports();
    assert.deepEqual(new Set(reports().map(sameness)).size, 1, 'it told two outcomes');
    return { reason: report?.reason ?? null, starts: host.starts() };
  } finally {
    await host.remove();
    await gateway.stop();
  }
}

const sameness = ({ state, reason, exitCode }: JobReport): string =>
  `${state} ${reason} ${exitCode}`;

const endOf = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
};

describe('an agent that dies at a record of its journal starts nothing twice', () => {
  let authority: KeyPair;
  before(async () => {
    authority = await createAuthority(systemClock);
  });

  // Side by side: most of the time is the start of processes that wait for each other.
  describe('at each of its crash points', { concurrency: 3 }, () => {
    for (const [point, boundary] of Object.entries(crashPoints.agent)) {
      it(`${point}: ${boundary}`, async () => {
        // Only names of the table are listed.
        assert.deepEqual(await dieAt(point as Point, authority), outcomes[point as Point]);
      });
    }
  });
});
