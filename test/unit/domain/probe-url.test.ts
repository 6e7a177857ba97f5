import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fillProbeUrl, labelsInUrl, probeUrlFlaw } from '../../../domain/probe-url.ts';

const fill = (text: string, values: Readonly<Record<string, string>>) =>
  fillProbeUrl(text, (name) => values[name]);

describe('the url of a page that proves a repair', () => {
  it('takes hosts and ports before its path', () => {
    const url = 'http://${host.hostname}:${labels.port}/health';

    const filled = fill(url, { 'host.hostname': 'web1.lan', 'labels.port': '8080' });

    assert.deepEqual(filled, { kind: 'filled', url: 'http://web1.lan:8080/health' });
  });

  it('puts an IPv6 address into brackets', () => {
    assert.deepEqual(fill('http://${host.ip}:80/', { 'host.ip': 'fd00::1' }), {
      kind: 'filled',
      url: 'http://[fd00::1]:80/',
    });
  });

  for (const value of ['evil.example/', 'a@b', 'a?b', 'a#b', 'a b', '../x', 'web1\n']) {
    it(`refuses ${JSON.stringify(value)} as a host: the url would be another one`, () => {
      const { kind } = fill('http://${labels.instance}/health', { 'labels.instance': value });

      assert.equal(kind, 'refused');
    });
  }

  it('writes whatever a value holds as data behind the host', () => {
    const filled = fill('http://web1/${labels.path}?q=${labels.q}', {
      'labels.path': '../a/b',
      'labels.q': 'x&y=\ud800',
    });

    assert.deepEqual(filled, {
      kind: 'filled',
      url: 'http://web1/..%2Fa%2Fb?q=x%26y%3D%EF%BF%BD',
    });
  });

  it('is none for a host that lacks a value', () => {
    assert.deepEqual(fill('http://${host.ip}/', { 'host.ip': '' }), {
      kind: 'refused',
      detail: 'the host has no host.ip',
    });
  });

  it('names what it does not know, and which labels it needs', () => {
    assert.match(probeUrlFlaw('http://${host.nmae}/') ?? '', /"\$\{host\.nmae\}" is not known/);
    assert.match(probeUrlFlaw('http://a/${labels.x') ?? '', /is not known/);
    assert.equal(probeUrlFlaw('http://${host.ip}/${labels.x}'), null);
    assert.deepEqual(labelsInUrl('http://${host.ip}/${labels.x}/${labels.y}/${labels.x}'), [
      'x',
      'y',
    ]);
  });
});
