import { type Logger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import type { Log } from '../platform/log.ts';

/**
 * The native runtime, once per process: our log instead of the SDK's, its metrics on a port of
 * their own, and no signal handlers, because `main.ts` owns those.
 */
export function installRuntime(of: {
  readonly log: Log;
  readonly metricsAddress: string | undefined;
}): void {
  Runtime.install({
    logger: asTemporalLogger(of.log),
    shutdownSignals: [],
    telemetryOptions: {
      logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) },
      ...(of.metricsAddress === undefined
        ? {}
        : { metrics: { prometheus: { bindAddress: of.metricsAddress } } }),
    },
  });
}

function asTemporalLogger(log: Log): Logger {
  const say = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, fields?: object) =>
    log[level](fields ?? {}, message);
  return {
    log: (level, message, fields) => {
      if (level === 'WARN') log.warn(fields ?? {}, message);
      else if (level === 'ERROR') log.error(fields ?? {}, message);
      else log.debug(fields ?? {}, message);
    },
    trace: say('debug'),
    debug: say('debug'),
    // The SDK says on info what a worker does all day; a person wants to hear of it only on trouble.
    info: say('debug'),
    warn: say('warn'),
    error: say('error'),
  };
}
