/** A line that a host wrote itself: it was touched for a case, or proven for it. */
export type TouchRecord = {
  readonly what: 'touched' | 'proven';
  readonly run: string;
  readonly host: string;
};

/** Reads `touched {run} {host}` and `proven {run} {host}`, in the order in which hosts wrote them. */
export function touchRecordsOf(text: string): readonly TouchRecord[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [what, run = '', host = ''] = line.split(' ');
      if (what !== 'touched' && what !== 'proven') throw new Error(`no record: ${line}`);
      return { what, run, host };
    });
}

/**
 * Judges invariant 5 by what hosts wrote, without asking whoever admitted them. A host that was touched
 * is held at least until it is proven: meanwhile no other run may touch it, and no domain may have more
 * of them than its cap. Returns what is wrong, in words.
 */
export function holdViolations(
  records: readonly TouchRecord[],
  of: { readonly domainOf: (host: string) => string; readonly cap: number },
): readonly string[] {
  const holders = new Map<string, string>();
  const touched = new Set<string>();
  const wrong: string[] = [];
  for (const { what, run, host } of records) {
    const holder = holders.get(host);
    if (what === 'proven') {
      if (!touched.has(`${run} ${host}`))
        wrong.push(`${run} proved ${host}, which it never touched`);
      if (holder === run) holders.delete(host);
      continue;
    }
    if (touched.has(`${run} ${host}`)) wrong.push(`${run} touched ${host} twice`);
    touched.add(`${run} ${host}`);
    if (holder !== undefined && holder !== run)
      wrong.push(`${run} touched ${host}, which ${holder} held`);
    holders.set(host, run);
    const domain = of.domainOf(host);
    const held = [...holders.keys()].filter((each) => of.domainOf(each) === domain);
    if (held.length > of.cap)
      wrong.push(`${domain} had ${held.length} hosts touched at once: ${held.join(', ')}`);
  }
  return wrong;
}
