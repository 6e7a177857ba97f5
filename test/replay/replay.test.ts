import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { workflowBundle } from '../../workers/workflow-bundle.ts';
import { phases } from '../support/replay-phases.ts';

const clone = fileURLToPath(new URL('../../', import.meta.url));
const histories = new URL('./histories/', import.meta.url);

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  workerHeartbeatInterval: null,
  telemetryOptions: { logging: { filter: 'OFF' } },
});

/** Every saved history, by version and phase. */
async function saved(): Promise<{ version: string; name: string; json: unknown }[]> {
  const found = [];
  for (const version of await readdir(histories)) {
    for (const file of await readdir(new URL(`${version}/`, histories))) {
      const json: unknown = JSON.parse(
        await readFile(new URL(`${version}/${file}`, histories), 'utf8'),
      );
      found.push({ version, name: file.replace(/\.json$/, ''), json });
    }
  }
  return found;
}

/** What replaying says: null, or the name of what is wrong. */
async function replay(bundle: { code: string }, history: { name: string; json: unknown }) {
  try {
    await Worker.runReplayHistory(
      { workflowBundle: bundle },
      historyFromJSON(history.json),
      history.name,
    );
    return null;
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}

describe('saved histories', () => {
  it('there is one of every phase at rest', async () => {
    const names = (await saved()).map(({ name }) => name);

    assert.deepEqual([...new Set(names)].sort(), phases.map(({ name }) => name).sort());
  });

  it('each replays on today’s workflows without a difference', async () => {
    const bundle = await workflowBundle();

    for (const history of await saved()) {
      assert.equal(await replay(bundle, history), null, `${history.version}/${history.name}`);
    }
  });

  it('a swapped pair of activities is found', async () => {
    const folder = await mkdtemp(join(clone, '.swapped-'));
    try {
      for (const part of ['workflows', 'domain', 'contracts']) {
        await cp(join(clone, part), join(folder, part), { recursive: true });
      }
      for (const [name, from, to] of [
        ['batch-attempts.ts', 'submitTask', 'probe'],
        ['script-proof.ts', 'probe', 'submitTask'],
      ] as const) {
        const file = join(folder, 'workflows', name);
        const text = await readFile(file, 'utf8');
        const swapped = text.replace(`activity: '${from}'`, `activity: '${to}'`);
        assert.notEqual(swapped, text);
        await writeFile(file, swapped);
      }
      const bundle = await bundleWorkflowCode({
        workflowsPath: join(folder, 'workflows', 'index.ts'),
        logger: new DefaultLogger('WARN'),
      });

      const found = (await saved()).filter(({ name }) =>
        ['batch-in-flight', 'verifying'].includes(name),
      );

      assert.ok(found.length >= 2);
      for (const history of found) {
        const label = `${history.version}/${history.name}`;
        assert.equal(await replay(bundle, history), 'DeterminismViolationError', label);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
