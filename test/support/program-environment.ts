/** What every program that a test starts has, and then `own`; nothing else of this process. */
export function programEnvironment(
  own: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  // Programs of one run find what the first of them compiled: a third of each start.
  const { NODE_COMPILE_CACHE } = process.env;
  const all = { PATH: '/usr/bin:/bin', FIXPOINT_LOG_LEVEL: 'warn', NODE_COMPILE_CACHE, ...own };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
