/** A repair that runs, with what its mailbox told it of its episodes. */
export type RunningRepair = {
  readonly remediationId: string;
  readonly episodes: readonly string[];
  /** Episodes that it takes for over. Absent: none. */
  readonly resolved?: readonly string[];
  /** When it was told last that alerts fire again, Unix ms. */
  readonly returnsToldMs?: number;
};

/** What a repair is to be told now. */
export type RepairWords = {
  readonly remediationId: string;
  readonly resolved: readonly string[];
  readonly returned?: readonly string[];
};

/** Between two words that alerts fire again (rule R17). */
const returnsToldEveryMs = 60_000;

/**
 * What a running repair does not know yet: that alerts of its episodes are over, at once; that they
 * fire again, when that counts and at most once a minute (rule R17). `countsAt` answers from when on
 * the alert of a fingerprint counts as firing, null if it does not fire.
 */
export function wordsFor(
  repair: RunningRepair,
  of: { readonly countsAt: (fingerprint: string) => number | null; readonly nowMs: number },
): {
  readonly words: RepairWords | null;
  readonly repair: RunningRepair;
  /** When there is something to tell if nothing changes; null if there is not. */
  readonly nextMs: number | null;
} {
  const { remediationId, episodes } = repair;
  const known = new Set(repair.resolved);
  const resolved = episodes.filter(
    (id) => !known.has(id) && of.countsAt(fingerprintOf(id)) === null,
  );
  const mayTellMs = (repair.returnsToldMs ?? 0) + returnsToldEveryMs;
  const returns = [...known].flatMap((id) => {
    const countsAt = of.countsAt(fingerprintOf(id));
    return countsAt === null ? [] : [{ id, atMs: Math.max(countsAt, mayTellMs) }];
  });
  const returned = returns.filter(({ atMs }) => atMs <= of.nowMs).map(({ id }) => id);
  const later = returns.filter(({ atMs }) => atMs > of.nowMs).map(({ atMs }) => atMs);
  const nextMs = later.length === 0 ? null : Math.min(...later);
  if (resolved.length === 0 && returned.length === 0) return { words: null, repair, nextMs };
  for (const id of resolved) known.add(id);
  for (const id of returned) known.delete(id);
  return {
    words: { remediationId, resolved, ...(returned.length === 0 ? {} : { returned }) },
    repair: {
      ...repair,
      resolved: [...known],
      ...(returned.length === 0 ? {} : { returnsToldMs: of.nowMs }),
    },
    nextMs,
  };
}

/** An episode's id is `{fingerprint}@{ms}`; a sender's fingerprint may hold an `@` itself. */
export const fingerprintOf = (episodeId: string): string =>
  episodeId.slice(0, episodeId.lastIndexOf('@'));
