import { mkdir, writeFile } from 'node:fs/promises';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { phases } from '../support/replay-phases.ts';
import { timeSkipping } from '../support/workflow-environment.ts';

// Saves a history of every phase at rest, for a release: `node test/replay/record.ts 0.1`. Those of
// released versions are never recorded again, because open runs of theirs must replay for ever. Phases
// that are named after the version are saved alone.
const [version, ...names] = process.argv.slice(2);
if (version === undefined) throw new Error('usage: node test/replay/record.ts <version> [phase…]');
const environment = await timeSkipping();
const folder = new URL(`./histories/${version}/`, import.meta.url);
await mkdir(folder, { recursive: true });
for (const phase of phases.filter(({ name }) => names.length === 0 || names.includes(name))) {
  const handle = await phase.reach(environment);
  const history = await handle.fetchHistory();
  await writeFile(new URL(`${phase.name}.json`, folder), historyToJSON(history));
  await handle.terminate('recorded');
}
await environment.teardown();
