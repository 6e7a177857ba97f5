import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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
  mkdirSync(of.directory, { recursive: true, mode: 0o700 });
  const pairs = await pairsIn(of.directory, of.clock);
  const { authority } = pairs;
  const shards = await issueShards({ ...of, authority, prefix: 'sim' });
  return { ...pairs, shards };
}

async function pairsIn(
  directory: string,
  clock: Clock,
): Promise<Pick<FleetFiles, 'authority' | 'gateway'>> {
  const file = join(directory, 'pairs.json');
  if (!existsSync(file)) {
    const authority = await createAuthority(clock);
    const { certificate, key } = await issueCertificate({
      ...{ authority, subject: { kind: 'gateway' }, clock },
    });
    const pairs = { authority, gateway: { certificate, key } };
    writeFileSync(file, JSON.stringify(pairs), { mode: 0o600 });
  }
  return JSON.parse(readFileSync(file, 'utf8')) as Pick<FleetFiles, 'authority' | 'gateway'>; // As above.
}
