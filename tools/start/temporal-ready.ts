import { readFileSync } from 'node:fs';
import { Connection } from '@temporalio/client';
import type { Config } from '../../contracts/config.ts';
import { searchAttributes } from '../../contracts/temporal.ts';

// Numbers of temporal.api.enums.v1.IndexedValueType.
const indexedTypes = { Keyword: 2, Int: 3, Datetime: 6 } as const;

type TemporalConfig = Pick<
  Config,
  | 'temporalAddress'
  | 'temporalNamespace'
  | 'temporalApiKey'
  | 'temporalTlsCa'
  | 'temporalTlsCert'
  | 'temporalTlsKey'
>;

/**
 * Whether Temporal answers and its namespace has our search attributes; those that are missing are
 * added first. Throws what Temporal says; meant to be asked again.
 */
export async function temporalIsReady(config: TemporalConfig): Promise<boolean> {
  const connection = await Connection.connect(connectionOptions(config));
  try {
    const namespace = config.temporalNamespace;
    const { customAttributes } = await connection.operatorService.listSearchAttributes({
      namespace,
    });
    const missing = Object.entries(searchAttributes).filter(
      ([name]) => customAttributes?.[name] === undefined,
    );
    if (missing.length === 0) return true;
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(
        missing.map(([name, type]) => [name, indexedTypes[type]]),
      ),
    });
    return false;
  } finally {
    await connection.close();
  }
}

function connectionOptions(config: TemporalConfig) {
  const { temporalTlsCa: ca, temporalTlsCert: crt, temporalTlsKey: key } = config;
  const tls = {
    ...(ca === undefined ? {} : { serverRootCACertificate: readFileSync(ca) }),
    ...(crt === undefined || key === undefined
      ? {}
      : { clientCertPair: { crt: readFileSync(crt), key: readFileSync(key) } }),
  };
  return {
    address: config.temporalAddress,
    connectTimeout: '2s',
    ...(config.temporalApiKey === undefined ? {} : { apiKey: config.temporalApiKey }),
    ...(Object.keys(tls).length > 0 || config.temporalApiKey !== undefined ? { tls } : {}),
  } as const;
}
