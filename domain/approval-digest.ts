import type { FrozenPolicy, FrozenRunbook } from '../contracts/frozen.ts';
import type { Episode, PlannedTarget } from '../contracts/temporal.ts';

/** What an approval is about (design 5.3). */
export type ApprovedPlan = {
  readonly policyDigest: FrozenPolicy['digest'];
  readonly runbookDigest: FrozenRunbook['digest'];
  readonly scriptDigests: readonly string[];
  /** Their labels and annotations are the arguments of scripts, and so are values of the hosts. */
  readonly episodes: readonly Pick<Episode, 'id' | 'labels' | 'annotations'>[];
  readonly targets: readonly Pick<PlannedTarget, 'agentId' | 'journalId' | 'episodes' | 'host'>[];
};

/**
 * The digest that an approval signs: another policy, runbook, script, argument or host gives another
 * one, another order of hosts or labels does not. `sha256Hex` is given, because workflows have none.
 */
export function approvalDigestOf(plan: ApprovedPlan, sha256Hex: (text: string) => string): string {
  const labels = plan.episodes.map(({ labels: pairs, annotations = [] }) =>
    [
      ...pairs.map(([name, value]) => JSON.stringify([name, value])),
      ...annotations.map(([name, value]) => JSON.stringify(['annotation', name, value])),
    ].sort(),
  );
  const hosts = plan.targets
    .map(({ agentId, journalId, episodes = null, host }) =>
      JSON.stringify([
        ...[agentId, journalId, episodes?.map((at) => labels[at]) ?? labels],
        ...(host === undefined ? [] : [Object.entries(host).sort()]),
      ]),
    )
    .sort();
  const { policyDigest, runbookDigest, scriptDigests } = plan;
  return `sha256:${sha256Hex(JSON.stringify([policyDigest, runbookDigest, scriptDigests, hosts]))}`;
}

/** Digits of a digest that people need to give; fewer name it too loosely. */
const digitsMin = 12;

/** Whether a person's text means this digest: it, or at least its first 12 digits. */
export function namesDigest(text: string, digest: string): boolean {
  const digits = digest.replace(/^sha256:/, '');
  const given = text
    .trim()
    .toLowerCase()
    .replace(/^sha256:/, '');
  return given.length >= digitsMin && digits.startsWith(given);
}

/** The digits that are shown. */
export const shortDigest = (digest: string): string =>
  digest.replace(/^sha256:/, '').slice(0, digitsMin);
