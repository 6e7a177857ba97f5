/** Sources of events that nobody ever takes back: a process that died is not told to live again. */
const neverResolve: ReadonlySet<string> = new Set(['gse', 'agent', 'cloudevents']);

/** Whether a source ever says that an alert is over, so that a repair may wait for it (rule X13). */
export const saysResolved = (source: string): boolean => !neverResolve.has(source);
