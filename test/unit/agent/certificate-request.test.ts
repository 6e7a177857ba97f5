import 'reflect-metadata';
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, webcrypto } from 'node:crypto';
import { describe, it } from 'node:test';
import * as x509 from '@peculiar/x509';
import { certificateRequest } from '../../../agent/certificate-request.ts';
import { newKey } from '../../../agent/enrolment.ts';
import { requestedKey } from '../../../agent-gateway/certificates.ts';

// Signatures of ECDSA are of 70 to 72 bytes: of so many keys some have each length.
const keys = Array.from({ length: 40 }, () => createPrivateKey(newKey()));

describe('a certificate request of the agent', () => {
  it('is one to the library: version 0, no name, no extension, signed by its own key', async () => {
    for (const key of keys) {
      const request = new x509.Pkcs10CertificateRequest(certificateRequest(key));

      assert.equal(request.subject, '');
      assert.deepEqual([request.attributes.length, request.extensions.length], [0, 0]);
      assert.ok(await request.verify(webcrypto));
      const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
      assert.deepEqual(Buffer.from(request.publicKey.rawData), spki);
    }
  });

  it('is taken by the gateway for its key, and not when a byte of what it says was changed', async () => {
    const [key, other] = keys;
    assert.ok(key && other);
    const pem = certificateRequest(key);
    const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');

    const taken = await requestedKey(pem);

    assert.equal(taken.digest, (await requestedKey(certificateRequest(key))).digest);
    assert.notEqual(taken.digest, (await requestedKey(certificateRequest(other))).digest);
    // What is signed, which the outer tag and its two bytes of length are not, and the signature's
    // last bytes: its DER may be written in more than one way.
    const outer = 3;
    const said = Array.from({ length: 100 }, (_, at) => outer + at);
    for (const at of [...said, der.length - 2, der.length - 1]) {
      const changed = Buffer.from(der);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      const text = `-----BEGIN CERTIFICATE REQUEST-----\n${changed.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
      await assert.rejects(requestedKey(text), { code: 'invalid_payload' }, `byte ${at}`);
    }
  });

  it('is PEM of lines of 64 characters', () => {
    for (const key of keys) {
      const lines = certificateRequest(key).trimEnd().split('\n').slice(1, -1);
      assert.ok(lines.every((line) => /^[A-Za-z0-9+/]{1,64}={0,2}$/.test(line)));
      assert.ok(lines.slice(0, -1).every((line) => line.length === 64));
    }
  });
});
