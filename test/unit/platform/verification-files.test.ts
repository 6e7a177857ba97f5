import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { saysResolved } from '../../../domain/resolving-sources.ts';
import { aPolicyText, aRunbookText, loadTexts } from '../../support/policy-set.ts';

const load = (verify: string, ...lines: readonly string[]) =>
  loadTexts({
    policies: { 'p.yaml': aPolicyText('web', ...lines) },
    runbooks: { 'r.yaml': `${aRunbookText()}\nverify: ${verify}` },
  });
const flawsOf = async (verify: string): Promise<string> => {
  const files = await load(verify);
  return files.kind === 'flawed'
    ? files.flaws.map(({ line, path, message }) => `${line} ${path}: ${message}`).join('\n')
    : '';
};

describe('how a repair is proven, in files', () => {
  it('a page, a soak and a watchdog are frozen', async () => {
    const files = await load(
      '{ probe: { http: { url: "http://${host.ip}/", contains: ok }, timeout: 2s }, soak: 2m }',
      'verify: { source: { watchdog: { alertname: Watchdog } } }',
    );

    assert.ok(files.kind === 'loaded');
    assert.deepEqual(files.set.runbooks.get('restart-web')?.verify, {
      probe: { http: { url: 'http://${host.ip}/', status: 200, contains: 'ok' }, timeoutMs: 2_000 },
      withinMs: 300_000,
      soakMs: 120_000,
    });
    assert.deepEqual(files.set.policies[0]?.frozen.watchdog, {
      source: 'alertmanager',
      alertname: 'Watchdog',
      withinMs: 300_000,
    });
  });

  it('without them nothing of it is frozen, so that a digest stays what it was', async () => {
    const files = await load('{}');

    assert.ok(files.kind === 'loaded');
    assert.deepEqual(files.set.runbooks.get('restart-web')?.verify, {
      probe: null,
      withinMs: 300_000,
    });
    assert.equal('watchdog' in (files.set.policies[0]?.frozen ?? {}), false);
  });

  for (const { verify, flaw } of [
    { verify: '{ probe: { timeout: 1s } }', flaw: /verify\.probe: needs exactly one of/ },
    {
      verify: '{ probe: { http: { url: "http://${host.name}/" } } }',
      flaw: /^7 verify\.probe\.http\.url: "\$\{host\.name\}" is not known; values are written/,
    },
    {
      verify: '{ probe: { http: { url: "http://root@web1/" } } }',
      flaw: /verify\.probe\.http\.url: must begin with http:/,
    },
    {
      verify: '{ probe: { http: { url: "http://web1/" }, timeout: 5m } }',
      flaw: /verify\.probe\.timeout: a probe by http may take 60s at most/,
    },
  ]) {
    it(`${verify} is refused`, async () => {
      assert.match(await flawsOf(verify), flaw);
    });
  }

  it('events that nobody takes back cannot be waited out', () => {
    assert.deepEqual(['alertmanager', 'gse', 'agent'].map(saysResolved), [true, false, false]);
  });
});
