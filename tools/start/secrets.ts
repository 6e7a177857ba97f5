import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newSigningKey } from '../../platform/signing-key.ts';

/** Files of the embedded product's secrets; the operator's token is also known by value. */
export type Secrets = {
  readonly operatorTokenFile: string;
  readonly operatorToken: string;
  readonly gatewayTokenFile: string;
  readonly gatewayToken: string;
  readonly webhookSecretFile: string;
  readonly callbackSecretFile: string;
  readonly escalationSecretFile: string;
  readonly signingKeyFile: string;
};

/** Makes the secrets that are missing in `directory`, mode 0600; the others stay as they are. */
export function provideSecrets(directory: string): Secrets {
  const token = () => randomBytes(24).toString('base64url');
  const operator = secret(join(directory, 'token'), token);
  const gateway = secret(join(directory, 'gateway-token'), token);
  const webhook = secret(join(directory, 'webhook-alertmanager'), token);
  const webhookKey = () => `whsec_${randomBytes(32).toString('base64')}`;
  const callback = secret(join(directory, 'callback'), webhookKey);
  const escalation = secret(join(directory, 'escalation'), webhookKey);
  const signing = secret(join(directory, 'signing-key'), newSigningKey);
  return {
    operatorTokenFile: operator.path,
    operatorToken: operator.value,
    gatewayTokenFile: gateway.path,
    gatewayToken: gateway.value,
    webhookSecretFile: webhook.path,
    callbackSecretFile: callback.path,
    escalationSecretFile: escalation.path,
    signingKeyFile: signing.path,
  };
}

function secret(path: string, make: () => string): { path: string; value: string } {
  if (!existsSync(path)) writeFileSync(path, make(), { mode: 0o600, flag: 'wx' });
  chmodSync(path, 0o600);
  return { path, value: readFileSync(path, 'utf8').trim() };
}
