import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePortsFrom } from '../../tools/start/ports.ts';
import { figuresOf, rounded } from '../figures.ts';
import type { FleetFiles } from '../fleet/fleet-files.ts';
import { MessagePort } from '../message-port.ts';
import type { EchoAgentsOrder } from './echo-agents.ts';
import type { EchoFigures, EchoServerOrder } from './echo-server.ts';

/** Medians of some rounds over `links` links; milliseconds unless it says otherwise. */
export type BareEcho = {
  readonly links: number;
  readonly first: number;
  readonly half: number;
  readonly most: number;
  readonly last: number;
  readonly lastMin: number;
  readonly lastMax: number;
  /** Until the last link was open. */
  readonly connectMs: number;
  readonly cpuUsPerHost: number;
  /** Of the server, after traffic. */
  readonly bytesPerLink: number;
};

const clients = 2;
const portsFrom = 30_000;
const fileOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Measures the bare echo with the agents' own certificates, laid out in processes as a fleet is. */
export async function measureBareEcho(of: {
  readonly files: FleetFiles;
  readonly links: number;
  readonly rounds: number;
}): Promise<BareEcho> {
  const children: ChildProcess[] = [];
  const started = <Q, A>(file: string): MessagePort<Q, A> => {
    const child = fork(fileOf(file), { serialization: 'advanced' });
    children.push(child);
    return new MessagePort<Q, A>(child);
  };
  try {
    const server = started<EchoServerOrder, EchoFigures>('./echo-server.ts');
    const port = await freePortsFrom(portsFrom, 1);
    const { authority, gateway, shards } = of.files;
    const tls = { ca: authority.certificate, cert: gateway.certificate, key: gateway.key };
    const before = await server.ask({ kind: 'listen', port, tls });
    const share = Math.ceil(of.links / clients);
    const connecting = Array.from({ length: clients }, (_, index) => {
      const from = index * share;
      return started<EchoAgentsOrder, number>('./echo-agents.ts').ask({
        ...{ shards, from, count: Math.min(share, of.links - from) },
        ...{ authority: authority.certificate, url: `wss://127.0.0.1:${port}` },
        localAddress: `127.0.0.${index + 2}`,
      });
    });
    const from = performance.now();
    await Promise.all(connecting);
    const connectMs = rounded(performance.now() - from);
    return { ...(await measure(server, of, before.residentBytes)), connectMs };
  } finally {
    await Promise.all(children.map(end));
  }
}

async function measure(
  server: MessagePort<EchoServerOrder, EchoFigures>,
  of: { readonly links: number; readonly rounds: number },
  emptyBytes: number,
): Promise<Omit<BareEcho, 'connectMs'>> {
  const warm = await server.ask({ kind: 'round' });
  const rounds: EchoFigures[] = [];
  for (let round = 0; round < of.rounds; round += 1) {
    rounds.push(await server.ask({ kind: 'round' }));
  }
  const after = rounds.at(-1) ?? warm;
  const quantile = (share: number) =>
    figuresOf(
      rounds.map(({ repliesMs }) => repliesMs[Math.ceil(share * of.links) - 1] ?? Number.NaN),
    );
  const last = quantile(1);
  return {
    links: of.links,
    first: quantile(Number.EPSILON).p50,
    half: quantile(0.5).p50,
    most: quantile(0.99).p50,
    ...{ last: last.p50, lastMin: last.min, lastMax: last.max },
    cpuUsPerHost: rounded(((after.cpuMs - warm.cpuMs) * 1_000) / (of.rounds * of.links)),
    bytesPerLink: Math.round((after.residentBytes - emptyBytes) / of.links),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
