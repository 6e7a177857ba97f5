import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { TrustFile } from '../../../agent-gateway/trust-file.ts';
import { systemClock } from '../../../platform/clock.ts';
import { silentLog } from '../../../platform/log.ts';
import { aSigningKey, aTrust, testKey } from '../../support/signing.ts';

describe('the trust file of a gateway', () => {
  let folder: string;
  let trust: TrustFile;
  let serials: number[];
  const write = (text: unknown) =>
    writeFileSync(
      join(folder, 'trust.json'),
      typeof text === 'string' ? text : JSON.stringify(text),
    );
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fixpoint-trust-'));
    serials = [];
    trust = new TrustFile({
      ...{ file: join(folder, 'trust.json'), clock: systemClock, log: silentLog },
      onChange: async ({ bundle }) => void serials.push(bundle.serial),
    });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is told when it comes and when it changes, once each', async () => {
    await trust.refresh();
    write(await aTrust());
    await trust.refresh();
    await trust.refresh();
    write(await aTrust({ serial: 2 }));
    await trust.refresh();

    assert.deepEqual(serials, [1, 2]);
    assert.equal(trust.trust?.bundle.serial, 2);
  });

  it('that is damaged, gone, or signed by a key that it does not hold leaves what was known', async () => {
    write(await aTrust());
    await trust.refresh();

    write('half a fi');
    await assert.rejects(trust.refresh(), /no trust bundle/);
    write(await aTrust({ serial: 9, keys: [testKey], by: [aSigningKey()] }));
    await assert.rejects(trust.refresh(), /not signed by a key of its own/);
    rmSync(join(folder, 'trust.json'));
    await trust.refresh();

    assert.deepEqual([serials, trust.trust?.bundle.serial], [[1], 1]);
  });

  it('that is not there, or none, keeps no gateway from starting', async () => {
    await trust.start();
    await trust.stop();
    write('{}');
    await trust.start();
    await trust.stop();

    assert.equal(trust.trust, null);
  });
});
