// A process of its own, because issuing is CPU alone and there are two cores: takes its work from one
// message and writes one shard of identities, whole or not at all.

import { renameSync, writeFileSync } from 'node:fs';
import type { KeyPair } from '../../agent-gateway/certificates.ts';
import { systemClock } from '../../platform/clock.ts';
import { issueIdentity, type SimulatedIdentity } from './identity.ts';

export type IssueOrder = {
  readonly authority: KeyPair;
  readonly prefix: string;
  readonly from: number;
  readonly count: number;
  readonly file: string;
};

process.once('message', (order: IssueOrder) => {
  issue(order).then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});

async function issue({ authority, prefix, from, count, file }: IssueOrder): Promise<void> {
  const identities: SimulatedIdentity[] = [];
  for (let number = from; number < from + count; number += 1) {
    identities.push(await issueIdentity({ authority, prefix, number, clock: systemClock }));
  }
  const text = identities.map((identity) => `${JSON.stringify(identity)}\n`).join('');
  writeFileSync(`${file}.part`, text, { mode: 0o600 });
  renameSync(`${file}.part`, file);
}
