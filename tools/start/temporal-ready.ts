import { Connection } from '@temporalio/client';
import type { Config } from '../../contracts/config.ts';
import { searchAttributes } from '../../contracts/temporal.ts';
import { temporalOptions } from '../../platform/temporal.ts';

// Numbers of temporal.api.enums.v1.IndexedValueType.
const indexedTypes = { Keyword: 2, Int: 3, Datetime: 6 } as const;

/**
 * Whether Temporal answers and its namespace has our search attributes; those that are missing are
 * added first. Throws what Temporal says; meant to be asked again.
 */
export async function temporalIsReady(config: Config): Promise<boolean> {
  const connection = await Connection.connect({
    ...temporalOptions(config),
    connectTimeout: '2s',
  });
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
