import { readFileSync } from 'node:fs';
import type { Config } from '../contracts/config.ts';

type TemporalSettings = Pick<
  Config,
  'temporalAddress' | 'temporalApiKey' | 'temporalTlsCa' | 'temporalTlsCert' | 'temporalTlsKey'
>;

type TemporalOptions = {
  address: string;
  apiKey?: string;
  tls?: {
    serverRootCACertificate?: Buffer;
    clientCertPair?: { crt: Buffer; key: Buffer };
  };
};

/** Connection options for client and worker alike; TLS as soon as a certificate or API key is set. */
export function temporalOptions(config: TemporalSettings): TemporalOptions {
  const { temporalAddress, temporalApiKey, temporalTlsCa, temporalTlsCert, temporalTlsKey } =
    config;
  const wantsTls = Boolean(temporalApiKey ?? temporalTlsCa ?? temporalTlsCert);
  return {
    address: temporalAddress,
    ...(temporalApiKey === undefined ? {} : { apiKey: temporalApiKey }),
    ...(wantsTls
      ? {
          tls: {
            ...(temporalTlsCa === undefined
              ? {}
              : { serverRootCACertificate: readFileSync(temporalTlsCa) }),
            ...(temporalTlsCert === undefined || temporalTlsKey === undefined
              ? {}
              : {
                  clientCertPair: {
                    crt: readFileSync(temporalTlsCert),
                    key: readFileSync(temporalTlsKey),
                  },
                }),
          },
        }
      : {}),
  };
}

/**
 * For client connections: after an outage the first call that can work does. By default gRPC waits
 * up to two minutes before it tries a server again.
 */
export const quickReconnect = {
  channelArgs: {
    'grpc.initial_reconnect_backoff_ms': 200,
    'grpc.min_reconnect_backoff_ms': 200,
    'grpc.max_reconnect_backoff_ms': 1_000,
  },
} as const;
