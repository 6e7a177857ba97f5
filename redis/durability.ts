import type { Redis } from 'ioredis';

/**
 * What of this Redis is weaker than a kept alert deserves (design 3), one sentence each; empty when
 * all is well. A server that hides its configuration, as hosted ones do, is one more sentence.
 */
export async function durabilityFlaws(client: Redis): Promise<string[]> {
  const read = async (name: string): Promise<string | undefined> => {
    const answer: unknown = await client.config('GET', name);
    return Array.isArray(answer) ? String(answer[1]) : undefined;
  };
  try {
    const flaws: string[] = [];
    if ((await read('appendonly')) !== 'yes') {
      flaws.push('appendonly is off: a crash of Redis loses accepted alerts');
    } else if ((await read('appendfsync')) !== 'always') {
      flaws.push('appendfsync is not "always": a power cut loses the alerts of the last second');
    }
    if ((await read('maxmemory-policy')) !== 'noeviction') {
      flaws.push('maxmemory-policy is not "noeviction": a full Redis drops alerts and tasks');
    }
    return flaws;
  } catch {
    return ['its configuration cannot be read: check appendfsync and maxmemory-policy yourself'];
  }
}
