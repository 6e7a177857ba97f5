import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createAuthority,
  issueCertificate,
  type KeyPair,
} from '../../agent-gateway/certificates.ts';
import type { Clock } from '../../platform/clock.ts';
import { issueShards } from './identity-shards.ts';

/** An authority of its own with its gateway and its agents, kept in files of `shardAgents` each. */
export type FleetFiles = {
  readonly authority: KeyPair;
  readonly gateway: KeyPair;
  readonly shards: readonly string[];
};

/**
 * Identities for `count` agents of a bench, from `directory` where they were made before and made
 * where they were not: about 175 a second and core, so ten thousand take half a minute once.
 */
export async function provideFleetFiles(of: {
  readonly directory: string;
  readonly count: number;
  readonly clock: Clock;
  readonly say: (line: string) => void;
}): Promise<FleetFiles> {
  const authority = await authorityIn(of.directory, of.clock);
  // Anew for every run: what it costs is a moment, and one that was kept could run out.
  const gateway = await issueCertificate({
    ...{ authority, subject: { kind: 'gateway' }, clock: of.clock },
  });
  const shards = await issueShards({ ...of, authority, prefix: 'sim' });
  return { authority, gateway, shards };
}

/** Kept, because the agents' certificates are. */
async function authorityIn(directory: string, clock: Clock): Promise<KeyPair> {
  const file = join(directory, 'authority.json');
  if (!existsSync(file)) {
    // What another authority has signed is of no use.
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(file, JSON.stringify(await createAuthority(clock)), { mode: 0o600 });
  }
  return JSON.parse(readFileSync(file, 'utf8')) as KeyPair; // As above.
}
