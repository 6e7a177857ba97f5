import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { egressRefusal } from '../../../domain/egress.ts';

const isAllowed = (url: string, ...allowed: readonly string[]) =>
  egressRefusal(new URL(url), allowed) === null;

describe('where anything may be sent to', () => {
  it('is a host that is named as it is written, and nothing by default', () => {
    assert.equal(isAllowed('http://web1.lan/x', 'web1.lan'), true);
    assert.equal(isAllowed('http://[::1]:80/', '::1'), true);
    assert.equal(isAllowed('http://web1.lan/x'), false);
    assert.equal(isAllowed('http://web1.lan.evil.example/', 'web1.lan'), false);
  });

  it('is every name below a domain, but neither the domain nor one that only ends alike', () => {
    assert.equal(isAllowed('http://a.b.lan/', '*.lan'), true);
    assert.equal(isAllowed('http://lan/', '*.lan'), false);
    assert.equal(isAllowed('http://evillan/', '*.lan'), false);
  });

  it('is every IPv4 address of a network, however it is written', () => {
    assert.equal(isAllowed('http://10.1.255.3/', '10.1.0.0/16'), true);
    assert.equal(isAllowed('http://10.2.0.1/', '10.1.0.0/16'), false);
    assert.equal(isAllowed('http://0x0a010203/', '10.1.0.0/16'), true);
    assert.equal(isAllowed('http://10.1.0.1.evil.example/', '10.1.0.0/16'), false);
    assert.equal(isAllowed('http://192.168.0.1/', '0.0.0.0/0'), true);
    assert.equal(isAllowed('http://10.1.0.1/', '10.1.0.0/33'), false);
  });

  it('is nothing but HTTP', () => {
    assert.deepEqual(egressRefusal(new URL('ftp://web1.lan/'), ['web1.lan']), {
      value: 'ftp:',
      fix: 'must be http or https',
    });
  });
});
