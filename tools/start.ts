// `npm start`: Redis, Temporal, every program of Fixpoint, three agents and their demo services on
// this machine, stopped together by Ctrl-C. Set-up (`tools/setup.mjs`) has run before.

import { resolve } from 'node:path';
import { FixpointError } from '../domain/errors.ts';
import { systemClock } from '../platform/clock.ts';
import { loadConfig } from '../platform/config.ts';
import { demoEnvironment, demoPart, fillCache } from './start/demo.ts';
import { anyMarkOf, endMarked, markName } from './start/ending.ts';
import { StartFailure } from './start/failure.ts';
import {
  linkFoldersById,
  localAgentNames,
  provideIdentities,
  writeAgentConfig,
} from './start/identities.ts';
import { clone, type Layout, layoutAt } from './start/layout.ts';
import { localAgents, type Ports, portsOf, portUses, requireFree } from './start/ports.ts';
import { Product, type Stage } from './start/product.ts';
import { agentPart, baseEnvironment, type ProgramContext, programParts } from './start/programs.ts';
import { RunFile } from './start/run-file.ts';
import { provideSecrets, type Secrets } from './start/secrets.ts';
import { redisPart, serverPaths, temporalPart } from './start/servers.ts';
import { suggestions } from './start/suggestions.ts';
import { temporalIsReady } from './start/temporal-ready.ts';
import { provideTrust } from './start/trust.ts';

const env = process.env;
const clock = systemClock;
const say = (line: string) => process.stdout.write(`${line}\n`);
const outer = { redis: Boolean(env['REDIS_URL']), temporal: Boolean(env['TEMPORAL_ADDRESS']) };

function recordOf(ports: Ports, secrets: Secrets) {
  const url = (port: number) => `http://127.0.0.1:${port}`;
  const metrics = Object.entries(ports.metrics).map(([name, port]) => [name, url(port)]);
  return {
    token: secrets.operatorToken,
    api: { url: url(ports.api) },
    gateway: { url: url(ports.gateway) },
    agentLink: { url: `wss://127.0.0.1:${ports.agentLink}` },
    metrics: Object.fromEntries(metrics),
    temporal: {
      address: env['TEMPORAL_ADDRESS'] || `127.0.0.1:${ports.temporal}`,
      ui: outer.temporal ? null : url(ports.temporalUi),
    },
    redis: { url: env['REDIS_URL'] || `redis://127.0.0.1:${ports.redis}` },
  };
}

/** Servers first: everything else needs them. Outer ones are used as they are, and left running. */
function serverStage(context: ProgramContext, temporalAnswers: () => Promise<boolean>): Stage {
  const { layout, ports } = context;
  const found = serverPaths(`${clone}/.fixpoint`);
  const server = { layout, ports, env: baseEnvironment(env, layout.state) };
  const missing = () => {
    throw new StartFailure('set-up has not provided every server', 'run `npm start` again');
  };
  return {
    parts: [
      ...(outer.redis ? [] : [redisPart(server, found.redisServer ?? missing())]),
      ...(outer.temporal
        ? []
        : [temporalPart(server, found.temporalCli ?? missing(), temporalAnswers)]),
    ],
    stopGraceMs: 2_500,
  };
}

async function agentParts(context: ProgramContext) {
  const { layout, ports } = context;
  const agentNames = localAgentNames(ports.demo.length);
  const identities = await provideIdentities({ layout, clock, say, agentNames });
  const { signingKeyFile } = context.secrets;
  await provideTrust({ layout, signingKeyFile, agentNames });
  const base = baseEnvironment(env, layout.state);
  const demos = identities.map(({ name }, index) => {
    const demo = { directory: layout.demo(name), port: ports.demo[index] ?? 0 };
    fillCache(demo.directory);
    // Jobs carry the mark too, so that what they leave behind is found and ended with the rest.
    const mark = { [markName]: base[markName] ?? '' };
    writeAgentConfig(layout.agent(name), { ...demoEnvironment(demo), ...mark });
    return demoPart({ ...demo, agentName: name, layout, env: base });
  });
  return { agents: identities.map((identity) => agentPart(context, identity, clock)), demos };
}

/** Ends the process with 0 once the product has stopped; asked again it changes nothing. */
function stopOnSignal(product: Product): AbortSignal {
  const stopping = new AbortController();
  const stop = () => {
    if (stopping.signal.aborted) return;
    stopping.abort();
    say('stopping');
    product.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  // A terminal that was closed takes no more lines; stopping goes on without it.
  process.stdout.on('error', () => {});
  return stopping.signal;
}

async function awaitTemporal(answers: () => Promise<boolean>): Promise<void> {
  const until = clock.monotonic() + 15_000;
  let said = '';
  while (clock.monotonic() < until) {
    const isReady = await answers().catch((error: Error) => {
      said = error.message;
      return false;
    });
    if (isReady) return;
    await clock.sleep(250);
  }
  throw new StartFailure(
    `Temporal at ${env['TEMPORAL_ADDRESS']} does not answer, or lacks our search attributes: ${said}`,
    'start it, correct TEMPORAL_ADDRESS, or unset it to use a server of our own',
  );
}

/** What a running product consists of, from the environment. */
async function prepare(layout: Layout, ports: Ports, secrets: Secrets): Promise<Stage[]> {
  const record = recordOf(ports, secrets);
  const temporalAddress = record.temporal.address;
  const context = { layout, ports, secrets, env, redisUrl: record.redis.url, temporalAddress };
  const temporalEnv = Object.entries(env).filter(([name]) => name.startsWith('TEMPORAL_'));
  const config = loadConfig({
    ...Object.fromEntries(temporalEnv),
    FIXPOINT_CONFIG: env['FIXPOINT_CONFIG'],
    TEMPORAL_ADDRESS: temporalAddress,
  });
  // What an earlier run could not end would hold the ports, and answer in place of ours.
  await endMarked(clock, anyMarkOf(layout.state), { graceMs: 1_000 });
  await requireFree(portUses(ports, outer));
  const temporalAnswers = () => temporalIsReady(config);
  if (outer.temporal) await awaitTemporal(temporalAnswers);
  const { agents, demos } = await agentParts(context);
  const { gateway, programs } = programParts(context);
  return [
    serverStage(context, temporalAnswers),
    { parts: [gateway, ...agents, ...demos], stopGraceMs: 2_000 },
    { parts: programs, stopGraceMs: 2_500 },
  ];
}

async function main(): Promise<void> {
  const startedAt = clock.monotonic();
  const layout = layoutAt(resolve(env['FIXPOINT_STATE_DIR'] || `${clone}/.fixpoint`));
  const ports = portsOf(env, localAgents(env));
  const secrets = provideSecrets(layout.secrets);
  const record = recordOf(ports, secrets);
  const runFile = new RunFile(layout.runFile, record);
  let product: Product | undefined;
  let stopping: AbortSignal | undefined;
  try {
    product = new Product({ clock, layout, runFile, say }, await prepare(layout, ports, secrets));
    stopping = stopOnSignal(product);
    await product.start();
    linkFoldersById(layout, localAgentNames(ports.demo.length));
  } catch (error) {
    // Asked to stop while starting: the failures that follow are no news.
    if (stopping?.aborted) return;
    await product?.stop();
    runFile.remove();
    throw error;
  }
  if (stopping.aborted) return;
  const tookMs = clock.monotonic() - startedAt;
  say(suggestions({ record, demoDirectory: layout.demo, demoPorts: ports.demo, tookMs }));
}

try {
  await main();
} catch (error) {
  const known = error instanceof StartFailure || error instanceof FixpointError;
  if (!known) throw error;
  const fix = error instanceof StartFailure ? error.fix : error.hint;
  process.stderr.write(`error: ${error.message}\n`);
  if (error instanceof FixpointError) {
    for (const flaw of error.flaws) process.stderr.write(`  ${flaw.field}: ${flaw.fix}\n`);
  }
  if (fix !== undefined) process.stderr.write(`  fix: ${fix}\n`);
  process.exit(1);
}
