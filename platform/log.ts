import { pino } from 'pino';

/** A logger that takes fields first, then one sentence. Never log a body, a header or a secret. */
export type Log = {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: Record<string, unknown>): Log;
};

/**
 * JSON lines on stdout, one program's name on each. Names that could hold a credential are
 * redacted wherever a caller put them by mistake (invariant 10).
 */
export function createLog(of: { readonly program: string; readonly level: string }): Log {
  return pino({
    level: of.level,
    base: { program: of.program, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: [
        'authorization',
        'token',
        'secret',
        '*.authorization',
        '*.token',
        '*.secret',
        'headers',
      ],
      censor: '[redacted]',
    },
    serializers: { error: pino.stdSerializers.err },
  });
}

/** A logger that says nothing, for tests and tools. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
};
