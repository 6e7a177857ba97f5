import { describe, it } from 'node:test';
import { assertConserved } from '../support/conservation.ts';
import { entriesThroughChaos } from '../support/entry-chaos.ts';

// test/long/conservation.test.ts does the same with a hundred thousand.
describe('entries that are bad, repeated, reordered or resolved first, while parts die', () => {
  it('are all received = fates + backlog, at every scrape of three thousand', async () => {
    assertConserved(await entriesThroughChaos({ entries: 3_000, seed: 7, rounds: 1 }));
  });
});
