import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../platform/clock.ts';
import { StartFailure } from '../../tools/start/failure.ts';
import { Part, type PartSpec } from '../../tools/start/part.ts';

describe('a program that ends while it is started', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'fixpoint-refused-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Starts a part that ends with `status`; what start said of it, and how often the program ran. */
  async function endOf(
    status: number,
    over: Partial<PartSpec> = { refusedExit: 2 },
  ): Promise<{ said: string; runs: number }> {
    const name = `ends-${status}${over.refusedExit === undefined ? '-crashing' : ''}`;
    const runs = join(folder, name);
    const part = new Part(
      { clock: systemClock, cwd: folder, say: () => {}, onProcess: () => {} },
      {
        ...{ name, command: '/bin/sh' },
        args: ['-c', `echo ran >>"${runs}"; echo "policies/web.yaml:3: guards"; exit ${status}`],
        env: { PATH: '/usr/bin:/bin' },
        logFile: join(folder, `${name}.log`),
        answers: async () => false,
        ...{ readyWithinMs: 20_000, restart: true, ...over },
      },
    );
    const failure: unknown = await part.start().then(
      () => null,
      (error: unknown) => error,
    );
    await part.stop(1_000);
    assert.ok(failure instanceof StartFailure, String(failure));
    return { said: failure.message, runs: readFileSync(runs, 'utf8').trim().split('\n').length };
  }

  it('because it does not accept its configuration is not started again, and its words are shown', async () => {
    const { said, runs } = await endOf(2);

    assert.equal(runs, 1);
    assert.match(said, /^ends-2 does not accept its configuration\./);
    assert.match(said, /policies\/web\.yaml:3: guards/);
  });

  it('because something broke is started again before it is given up', async () => {
    const { said, runs } = await endOf(1);

    assert.equal(runs, 3);
    assert.match(said, /^ends-1 keeps ending\./);
  });

  it('with the same status, but as a server of others that crashed, is started again', async () => {
    const { said, runs } = await endOf(2, {});

    assert.equal(runs, 3);
    assert.match(said, /^ends-2-crashing keeps ending\./);
  });
});
