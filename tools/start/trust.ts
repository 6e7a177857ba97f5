import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { signingKeysIn } from '../../platform/signing-key.ts';
import { Trust } from '../../platform/trust-bundle.ts';
import { sealTrust } from '../../platform/trust-seal.ts';
import { StartFailure } from './failure.ts';
import type { Layout } from './layout.ts';

/**
 * The trust bundle of the embedded product, made once from its signing key and its authority;
 * agents get it when they are enrolled. Throws a `StartFailure` where it does not belong to the
 * signing key any more, or where it is gone and agents have one: they would take no other.
 */
export async function provideTrust(of: {
  readonly layout: Layout;
  readonly signingKeyFile: string;
  readonly agentNames: readonly string[];
}): Promise<void> {
  const { layout } = of;
  const file = join(layout.certificates, 'trust.json');
  const agentFiles = of.agentNames.map((name) => join(layout.agent(name), 'trust.json'));
  const keys = signingKeysIn(readFileSync(of.signingKeyFile, 'utf8'));
  if (!existsSync(file)) {
    if (agentFiles.some(existsSync)) throw notWhole(layout, `${file} is missing`);
    const signingKeys = keys.map(({ keyId, publicKey }) => ({ keyId, publicKey }));
    const authorities = [readFileSync(join(layout.certificates, 'ca.crt'), 'utf8')];
    const envelope = await sealTrust({ serial: 1, signingKeys, authorities }, keys);
    writeFileSync(file, JSON.stringify(envelope), { mode: 0o600 });
  }
  const text = readFileSync(file, 'utf8');
  const { signingKeys } = Trust.read(text).bundle;
  if (!signingKeys.some(({ keyId }) => keyId === keys[0].keyId)) {
    throw notWhole(layout, `${file} does not trust the key in ${of.signingKeyFile}`);
  }
}

const notWhole = (layout: Layout, flaw: string): StartFailure =>
  new StartFailure(
    `the local agents cannot trust signed jobs: ${flaw}`,
    `remove ${layout.certificates} and ${dirname(layout.agent('any'))} for new ones`,
  );
