import type { PlanOutlook } from '../contracts/temporal.ts';

/** Batches and domains that are told one by one; of more, the first ones. */
const toldMax = 8;

/** What a repair would do, in one sentence: its batches, then what its guards allow. */
export function outlookInWords({ steps, domains }: PlanOutlook): string {
  const batches = steps.map(({ name, batches: sizes }) => `step ${name}: ${batchesInWords(sizes)}`);
  const told = domains.slice(0, toldMax).map(domainInWords);
  const rest = domains.length - told.length;
  return [...batches, ...told, ...(rest > 0 ? [`and ${rest} more fault domains`] : [])].join('; ');
}

/** `4 batches of 1, 4, 10, 25 hosts`; equal neighbours are told once, as `10 ×3`. */
export function batchesInWords(sizes: readonly number[]): string {
  const runs: { size: number; times: number }[] = [];
  for (const size of sizes) {
    const last = runs.at(-1);
    if (last?.size === size) last.times += 1;
    else runs.push({ size, times: 1 });
  }
  const told = runs
    .slice(0, toldMax)
    .map(({ size, times }) => (times === 1 ? `${size}` : `${size} ×${times}`));
  const rest = runs.length > told.length ? ', …' : '';
  const isOne = sizes.length === 1;
  const hosts = isOne && sizes[0] === 1 ? 'host' : 'hosts';
  return `${sizes.length} ${isOne ? 'batch' : 'batches'} of ${told.join(', ')}${rest} ${hosts}`;
}

/** `zone=eu-1: 20 of 40 agents, 10 may be held at once` */
export function domainInWords({
  name,
  hosts,
  agents,
  cap,
}: PlanOutlook['domains'][number]): string {
  const limit = cap === null ? 'all' : cap;
  return `${name}: ${hosts} of ${agents} agents, ${limit} may be held at once`;
}
