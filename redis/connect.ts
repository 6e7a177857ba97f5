import { Redis } from 'ioredis';

/** How a connection behaves while Redis is away. */
export type ConnectionProfile =
  /** Fails at once, so that a request can be answered 503 in well under a second (R8). */
  | 'request'
  /**
   * For blocking reads: no command timeout beyond the block itself. One whose connection breaks rejects
   * and is not sent again by itself: what it was given may have been lost with its answer.
   */
  | 'blocking'
  /** For loops that try again by themselves: waits briefly, then fails. */
  | 'background';

const profiles = {
  request: { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: 700 },
  blocking: { enableOfflineQueue: true, maxRetriesPerRequest: 0, blockingTimeout: 10_000 },
  background: { enableOfflineQueue: true, maxRetriesPerRequest: 1, commandTimeout: 5_000 },
} as const;

/**
 * A client that reconnects for ever, at most every second. It never throws by itself: a command
 * that cannot be sent rejects. `onError` hears every connection error; repeated ones included.
 */
export function connectRedis(of: {
  readonly url: string;
  readonly profile: ConnectionProfile;
  readonly onError: (error: Error) => void;
}): Redis {
  const client = new Redis(of.url, {
    ...profiles[of.profile],
    connectTimeout: 1_000,
    retryStrategy: (times) => Math.min(50 * times, 1_000),
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
  client.on('error', of.onError);
  return client;
}
