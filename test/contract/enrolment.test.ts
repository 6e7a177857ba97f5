import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  agentToken,
  agentTokenAnswer,
  agentTokenBody,
  authorityAnswer,
  decodeAgentToken,
  encodeAgentToken,
  enrolAnswer,
  enrolBody,
  renewAnswer,
  renewBody,
} from '../../contracts/enrolment.ts';
import { limits } from '../../contracts/limits.ts';
import { schemaCases } from '../support/schema-cases.ts';

const token = {
  gateways: ['wss://127.0.0.1:8451', 'wss://gateway-2.example.com:8451'],
  authorities: ['0'.repeat(64)],
  trust: { keys: ['A'.repeat(43)], serial: 1 },
  secret: 'a'.repeat(32),
};
const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
const envelope = {
  payloadType: 'application/vnd.fixpoint.trust+json',
  payload: 'e30=',
  signatures: [{ keyid: '0123456789abcdef', sig: `${'A'.repeat(86)}==` }],
};
const tooLong = 'x'.repeat(limits.trustPemBytes + 1);

describe('contract of enrolment', () => {
  schemaCases('agentToken', agentToken, {
    valid: [token],
    refused: [
      ['gateways', []],
      ['gateways.0', 'https://127.0.0.1:8451'],
      ['authorities', []],
      ['authorities.0', 'abc'],
      ['trust', undefined],
      ['trust.keys', []],
      ['trust.keys', Array.from({ length: limits.trustAnchorsMax + 1 }, () => 'A'.repeat(43))],
      ['trust.keys.0', 'A'.repeat(42)],
      ['trust.serial', 0],
      ['secret', 'short'],
    ],
  });
  schemaCases('agentTokenBody', agentTokenBody, {
    valid: [
      { ttlMs: 900_000, uses: 1, name: 'web1', labels: { zone: 'a' }, replace: true },
      { ttlMs: 1_000 },
      { ttlMs: 1_000, uses: 40, name: 'web', labels: { ip: '10.0.0.7' } },
    ],
    refused: [
      ['ttlMs', 999],
      ['ttlMs', limits.agentTokenMs + 1],
      ['uses', 0],
      ['uses', limits.agentTokenUsesMax + 1],
      ['uses', 2],
      ['name', 'web 1'],
      ['name', ''],
      ['name', undefined],
      ['labels', { name: 'web2' }],
      ['labels', { 'a b': 'c' }],
      ['labels.zone', ''],
      ['labels.zone', '漢'.repeat(85)],
      ['labels', Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`l${at}`, 'x']))],
      ['operator_name', 'x'.repeat(201)],
    ],
  });
  schemaCases('agentTokenAnswer', agentTokenAnswer, {
    valid: [{ token: 'fixpoint-agent.e30', expiresAt: 1, uses: 1 }],
    refused: [
      ['token', undefined],
      ['expiresAt', '1'],
      ['uses', undefined],
    ],
  });
  schemaCases('enrolBody', enrolBody, {
    valid: [{ secret: 'a'.repeat(32), request: pem, journalId: '0'.repeat(26) }],
    refused: [
      ['secret', 'a'.repeat(31)],
      ['request', tooLong],
      ['journalId', 'u'.repeat(26)],
    ],
  });
  schemaCases('enrolAnswer', enrolAnswer, {
    valid: [{ agentId: '0123456789ab', name: 'web1', certificate: pem }],
    refused: [
      ['agentId', 'web1'],
      ['certificate', tooLong],
    ],
  });
  schemaCases('renewBody', renewBody, {
    valid: [{ request: pem }],
    refused: [['request', tooLong]],
  });
  schemaCases('renewAnswer', renewAnswer, {
    valid: [{ certificate: pem }],
    refused: [['certificate', undefined]],
  });
  schemaCases('authorityAnswer', authorityAnswer, {
    valid: [
      { authorities: [pem], trust: null },
      { authorities: [pem], trust: envelope },
    ],
    refused: [
      ['authorities', []],
      ['trust', {}],
      ['trust', undefined],
    ],
  });

  it('a token is one word that comes back as it was, and a part of it is none', () => {
    const text = encodeAgentToken(token);

    assert.match(text, /^[A-Za-z0-9._-]+$/);
    assert.deepEqual(decodeAgentToken(text), token);
    for (let length = 0; length < text.length; length += 1) {
      assert.equal(decodeAgentToken(text.slice(0, length)), null);
    }
  });
});
