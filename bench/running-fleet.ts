import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { issueRecord } from '../agent-gateway/register-records.ts';
import type { RunFile } from '../contracts/run-file.ts';
import { base32 } from '../domain/ids.ts';
import { Fleet } from './fleet/fleet.ts';
import { issueShards, readIdentities } from './fleet/identity-shards.ts';
import type { Behaviour } from './fleet/simulated-executor.ts';
import type { BenchDeps } from './fleet-rig.ts';
import { requireDescriptors } from './machine.ts';

export type RunningFleetOptions = {
  readonly agents: number;
  /** State folder of a product that `npm start` runs. */
  readonly state: string;
  readonly behaviour: Behaviour;
  /** Ends by itself after so long; without it, when it is told to. */
  readonly seconds: number | undefined;
};

const connectWithinMs = 300_000;
const sayEveryMs = 5_000;
const spareDescriptors = 500;

/**
 * Enrols simulated agents with a product that runs, keeps them connected and tells how they are.
 * They stay in its register as enrolled afterwards: for a product that is there to be tried.
 */
export async function runFleet(deps: BenchDeps, options: RunningFleetOptions): Promise<void> {
  const { clock, say } = deps;
  requireDescriptors(options.agents + spareDescriptors, 'the gateway');
  const state = resolve(options.state);
  const runFile = join(state, 'run.json');
  if (!existsSync(runFile))
    throw new Error(`no product runs on ${state}: \`npm start\` starts one`);
  const run = JSON.parse(readFileSync(runFile, 'utf8')) as RunFile; // Written by start.
  if (run.agentLink === undefined) throw new Error('the product is still starting');
  const { url } = run.agentLink;
  const shards = await enrolAll(deps, { ...options, certificates: join(state, 'secrets', 'ca') });
  const authority = readFileSync(join(state, 'secrets', 'ca', 'ca.crt'), 'utf8');
  const fleet = await Fleet.start(clock, {
    ...{ shards, count: options.agents, mode: 'whole', behaviour: options.behaviour },
    ...{ authority, trustFile: join(state, 'secrets', 'ca', 'trust.json') },
    gateways: [url],
  });
  deps.onPart(() => fleet.stop());
  const begun = clock.monotonic();
  await fleet.connected(options.agents, { withinMs: connectWithinMs });
  say(`${options.agents} agents connected in ${Math.round(clock.monotonic() - begun)} ms`);
  say('label service=simulated selects them; Ctrl-C ends them');
  const until = begun + (options.seconds ?? Number.POSITIVE_INFINITY) * 1_000;
  while (clock.monotonic() < until) {
    await clock.sleep(Math.min(sayEveryMs, until - clock.monotonic()));
    const { connected, jobs, startedTwice } = await fleet.status();
    say(`${connected} connected, ${jobs} jobs started, ${startedTwice} of them twice`);
  }
}

/** Issues identities by the product's own authority and writes them into its register. */
async function enrolAll(
  deps: BenchDeps,
  of: { readonly agents: number; readonly certificates: string },
): Promise<readonly string[]> {
  const { clock, say } = deps;
  const read = (name: string) => readFileSync(join(of.certificates, name), 'utf8');
  const directory = mkdtempSync(join(tmpdir(), 'fixpoint-simulated-'));
  deps.onPart(async () => rmSync(directory, { recursive: true, force: true }));
  const authority = { certificate: read('ca.crt'), key: read('ca.key') };
  // A new name every time: names in a register are unique, and these agents never come back.
  const prefix = `sim-${base32(clock.randomBytes(5))}`;
  const shards = await issueShards({
    ...{ directory, authority, prefix, count: of.agents, clock, say },
  });
  const identities = readIdentities(shards, { from: 0, count: of.agents });
  const lines = identities.map(({ record }) => `${JSON.stringify(issueRecord.parse(record))}\n`);
  await appendFile(join(of.certificates, 'issued.jsonl'), lines.join(''), { flush: true });
  return shards;
}
