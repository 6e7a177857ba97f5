import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskSigner } from '../activities/index.ts';
import type { Clock } from '../platform/clock.ts';
import { newSigningKey, signingKeysIn } from '../platform/signing-key.ts';
import { sealTrust } from '../platform/trust-seal.ts';
import { controlCache } from '../redis/control-cache.ts';
import { freePortsFrom } from '../tools/start/ports.ts';
import { ed25519Signer } from '../workers/ed25519-signer.ts';
import { BenchGateway } from './bench-gateway.ts';
import { BenchRedis } from './bench-redis.ts';
import { CallbackDesk } from './callback-desk.ts';
import { type FleetFiles, provideFleetFiles } from './fleet/fleet-files.ts';
import { readIdentities } from './fleet/identity-shards.ts';
import { requireDescriptors } from './machine.ts';
import { WallClock } from './wall-clock.ts';

export type BenchDeps = {
  readonly clock: Clock;
  readonly say: (line: string) => void;
  /** Hears of everything that must be stopped, newest last, whatever ends the run. */
  readonly onPart: (stop: () => Promise<void>) => void;
};

export type Target = { readonly agentId: string; readonly journalId: string };

/** What stands around a fleet in every bench: Redis, gateways, and who hears their callbacks. */
export type FleetRig = {
  readonly files: FleetFiles;
  readonly redis: BenchRedis;
  readonly gateways: readonly BenchGateway[];
  readonly callbacks: CallbackDesk;
  readonly wallClock: WallClock;
  readonly folder: string;
  /** All agents that were asked for, as a task names them. */
  readonly targets: readonly Target[];
  /** Signs as the fleet trusts it. */
  readonly signer: TaskSigner;
  readonly trustFile: string;
  /** Starts the gateway of that index once more, where it was before. */
  restart(index: number): Promise<BenchGateway>;
};

// Beside the links: Redis, its own sockets, libraries. And what the kernel gives out on top.
const spareDescriptors = 500;
// Below those that Linux hands to outgoing connections.
const portsFrom = 12_000 + (process.pid % 400) * 20;

// A burst for the thousands of agents of one process keeps their event loop from pongs for seconds,
// on a busy machine for longer than a lease lasts. On hosts of their own they do not share a loop.
const configuration = 'clocks:\n  startLease: 60s\n';

/** Where identities of benches are kept between runs. */
export const identitiesDirectory = (): string =>
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'fixpoint', 'bench-fleet');

/** Sets up gateways that `agents` simulated agents may connect to. Throws if so many do not fit. */
export async function startFleetRig(
  deps: BenchDeps,
  of: { readonly agents: number; readonly gateways: number },
): Promise<FleetRig> {
  const { clock, say, onPart } = deps;
  requireDescriptors(of.agents + spareDescriptors, 'one gateway process');
  const wallClock = new WallClock();
  const directory = identitiesDirectory();
  const files = await provideFleetFiles({ directory, count: of.agents, clock, say });
  const folder = mkdtempSync(join(tmpdir(), 'fixpoint-bench-'));
  onPart(async () => rmSync(folder, { recursive: true, force: true }));
  const targets = writeCertificates(folder, files, of.agents);
  writeFileSync(join(folder, 'fixpoint.yaml'), configuration);
  const { signer, trustFile } = await writeTrust(folder);
  const first = await freePortsFrom(portsFrom, 1 + 3 * of.gateways);
  mkdirSync(join(folder, 'redis'));
  const redis = await BenchRedis.start({ clock, directory: join(folder, 'redis'), port: first });
  onPart(() => redis.stop());
  await controlCache(redis.client).write({
    revision: 1,
    stopped: false,
    reason: '',
    by: '',
    at: 0,
  });
  const callbacks = await CallbackDesk.start(clock, wallClock);
  onPart(() => callbacks.stop());
  const gateways: BenchGateway[] = [];
  const start = async (index: number): Promise<BenchGateway> => {
    const at = first + 1 + 3 * index;
    const gateway = await BenchGateway.start(clock, {
      ...{ id: `gateway-${index + 1}`, redisUrl: redis.url, folder },
      certificates: join(folder, 'certificates'),
      ports: { agents: at, http: at + 1, metrics: at + 2 },
    });
    gateways[index] = gateway;
    return gateway;
  };
  onPart(async () => {
    await Promise.all(gateways.map((gateway) => gateway.end('SIGTERM')));
  });
  for (let index = 0; index < of.gateways; index += 1) await start(index);
  return {
    ...{ files, redis, gateways, callbacks, wallClock, folder, targets },
    ...{ signer, trustFile, restart: start },
  };
}

/** A signing key of this run, and the bundle by which gateways and agents know it. */
async function writeTrust(folder: string): Promise<Pick<FleetRig, 'signer' | 'trustFile'>> {
  const pem = newSigningKey();
  const [{ keyId, publicKey }] = signingKeysIn(pem);
  const bundle = { serial: 1, signingKeys: [{ keyId, publicKey }], authorities: [] };
  const trustFile = join(folder, 'certificates', 'trust.json');
  writeFileSync(trustFile, JSON.stringify(await sealTrust(bundle, signingKeysIn(pem))));
  return { signer: ed25519Signer(pem), trustFile };
}

/** Writes what a gateway reads, and returns the agents it will know. */
function writeCertificates(folder: string, files: FleetFiles, count: number): readonly Target[] {
  const certificates = join(folder, 'certificates');
  mkdirSync(certificates, { mode: 0o700 });
  const identities = readIdentities(files.shards, { from: 0, count });
  const texts = {
    'ca.crt': files.authority.certificate,
    'gateway.crt': files.gateway.certificate,
    'gateway.key': files.gateway.key,
    'issued.jsonl': identities.map(({ record }) => `${JSON.stringify(record)}\n`).join(''),
  };
  for (const [name, text] of Object.entries(texts)) {
    writeFileSync(join(certificates, name), text, { mode: 0o600 });
  }
  return identities.map(({ record: { agentId, journalId } }) => ({ agentId, journalId }));
}
