import { describe, it } from 'node:test';
import { assertConserved } from '../support/conservation.ts';
import { entriesThroughChaos } from '../support/entry-chaos.ts';

describe('a hundred thousand entries that are bad, repeated, reordered or resolved first', () => {
  it('are all received = fates + backlog, at every scrape, while parts die again and again', async () => {
    const outcome = await entriesThroughChaos({ entries: 100_000, seed: 8, rounds: 20 });
    process.stdout.write(`${JSON.stringify({ ...outcome, settled: outcome.settled.fates })}\n`);
    assertConserved(outcome);
  });
});
