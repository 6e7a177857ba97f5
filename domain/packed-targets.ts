import type { PlannedTarget } from '../contracts/temporal.ts';

const agentIdLength = 12;
const journalIdLength = 26;
const hostLength = agentIdLength + journalIdLength;

/** Hosts of a plan in little more than half of their JSON; 20,000 of them are 760 KB. */
export type PackedTargets = {
  /** Agent id and journal id of each host, 38 characters, one after the other. */
  readonly ids: string;
  /** By position; only of hosts that have them. */
  readonly episodes?: readonly (readonly number[])[];
  readonly names?: readonly string[];
};

/** Null if an id has another length than ids of this version have, or a host has values of its own. */
export function packTargets(targets: readonly PlannedTarget[]): PackedTargets | null {
  const isPlain = targets.every(
    ({ agentId, journalId, host }) =>
      agentId.length === agentIdLength &&
      journalId.length === journalIdLength &&
      host === undefined,
  );
  if (!isPlain) return null;
  const episodes = targets.flatMap((target) => (target.episodes ? [target.episodes] : []));
  const names = targets.flatMap((target) => (target.name === undefined ? [] : [target.name]));
  const isWhole = (count: number) => count === 0 || count === targets.length;
  if (!isWhole(episodes.length) || !isWhole(names.length)) return null;
  return {
    ids: targets.map(({ agentId, journalId }) => agentId + journalId).join(''),
    ...(episodes.length === 0 ? {} : { episodes }),
    ...(names.length === 0 ? {} : { names }),
  };
}

/** What was packed. */
export function unpackTargets({ ids, episodes, names }: PackedTargets): readonly PlannedTarget[] {
  return Array.from({ length: ids.length / hostLength }, (_, position) => {
    const start = position * hostLength;
    const [told, name] = [episodes?.[position], names?.[position]];
    return {
      agentId: ids.slice(start, start + agentIdLength),
      journalId: ids.slice(start + agentIdLength, start + hostLength),
      ...(told === undefined ? {} : { episodes: told }),
      ...(name === undefined ? {} : { name }),
    };
  });
}
